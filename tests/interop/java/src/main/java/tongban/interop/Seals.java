package tongban.interop;

import java.security.GeneralSecurityException;
import java.security.PublicKey;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bouncycastle.asn1.ASN1Encoding;
import org.bouncycastle.asn1.ASN1EncodableVector;
import org.bouncycastle.asn1.ASN1GeneralizedTime;
import org.bouncycastle.asn1.ASN1Integer;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.ASN1Sequence;
import org.bouncycastle.asn1.ASN1UTCTime;
import org.bouncycastle.asn1.DERBitString;
import org.bouncycastle.asn1.DERIA5String;
import org.bouncycastle.asn1.DEROctetString;
import org.bouncycastle.asn1.DERSequence;
import org.bouncycastle.asn1.DERUTF8String;
import org.bouncycastle.asn1.gm.GMObjectIdentifiers;
import org.ofdrw.gm.ses.parse.SESVersion;
import org.ofdrw.gm.ses.parse.SESVersionHolder;
import org.ofdrw.gm.ses.parse.VersionParser;
import org.ofdrw.gm.ses.v1.SES_ESPictrueInfo;
import org.ofdrw.gm.ses.v1.SES_Header;
import org.ofdrw.gm.ses.v1.SES_SignInfo;
import org.ofdrw.gm.ses.v4.CertDigestObj;
import org.ofdrw.gm.ses.v4.SES_CertList;
import org.ofdrw.gm.ses.v4.SES_ESPropertyInfo;
import org.ofdrw.gm.ses.v4.SES_SealInfo;

/** Seals (SESeal) of generations 1 and 4 as ofdrw's classes read and write them; it takes a 5 for a 4. */
final class Seals {
    private Seals() {}

    static Map<String, Object> parse(Request request) throws Exception {
        SESVersionHolder held = VersionParser.parseSES_SealVersion(ASN1Sequence.getInstance(request.bytes("seal")));
        return held.getVersion() == SESVersion.v1
                ? described(org.ofdrw.gm.ses.v1.SESeal.getInstance(held.getObjSeq()))
                : described(org.ofdrw.gm.ses.v4.SESeal.getInstance(held.getObjSeq()));
    }

    /** Answers whether the maker's signature holds over what ofdrw encodes again from the parsed seal. */
    static boolean verify(Request request) throws Exception {
        SESVersionHolder held = VersionParser.parseSES_SealVersion(ASN1Sequence.getInstance(request.bytes("seal")));
        return held.getVersion() == SESVersion.v1
                ? verified(org.ofdrw.gm.ses.v1.SESeal.getInstance(held.getObjSeq()))
                : verified(org.ofdrw.gm.ses.v4.SESeal.getInstance(held.getObjSeq()));
    }

    /** Answers a seal that ofdrw's classes wrote and Bouncy Castle signed: `generation` is 1 or 4. */
    static String make(Request request) throws Exception {
        byte[] der = request.number("generation") == 1 ? first(request) : fourth(request);
        return Base64.getEncoder().encodeToString(der);
    }

    static Map<String, Object> described(org.ofdrw.gm.ses.v1.SESeal seal) throws Exception {
        org.ofdrw.gm.ses.v1.SES_SealInfo info = seal.getEsealInfo();
        org.ofdrw.gm.ses.v1.SES_ESPropertyInfo property = info.getProperty();
        Map<String, Object> found = head(info.getHeader(), info.getEsID(), info.getPicture());
        found.put("kind", property.getType().getValue());
        found.put("name", property.getName().getString());
        found.put("certificates", certificates(property.getCertList()));
        found.put("created_at", property.getCreateDate().getAdjustedDate().getTime());
        found.put("valid_from", property.getValidStart().getAdjustedDate().getTime());
        found.put("valid_until", property.getValidEnd().getAdjustedDate().getTime());
        found.put("maker", encoded(seal.getSignInfo().getCert().getOctets()));
        found.put("algorithm", seal.getSignInfo().getSignatureAlgorithm().getId());
        found.put("signature", encoded(seal.getSignInfo().getSignData().getOctets()));
        return found;
    }

    static Map<String, Object> described(org.ofdrw.gm.ses.v4.SESeal seal) throws Exception {
        SES_SealInfo info = seal.geteSealInfo();
        SES_ESPropertyInfo property = info.getProperty();
        Map<String, Object> found = head(info.getHeader(), info.getEsID(), info.getPicture());
        found.put("kind", property.getType().getValue());
        found.put("name", property.getName().getString());
        found.put("certificates", certificates(property.getCertList()));
        found.put("created_at", property.getCreateDate().getDate().getTime());
        found.put("valid_from", property.getValidStart().getDate().getTime());
        found.put("valid_until", property.getValidEnd().getDate().getTime());
        found.put("maker", encoded(seal.getCert().getOctets()));
        found.put("algorithm", seal.getSignAlgID().getId());
        found.put("signature", encoded(seal.getSignedValue().getOctets()));
        return found;
    }

    private static Map<String, Object> head(SES_Header header, DERIA5String id, SES_ESPictrueInfo picture) {
        Map<String, Object> found = new LinkedHashMap<>();
        found.put("generation", header.getVersion().getValue());
        found.put("vendor_id", header.getVid().getString());
        found.put("seal_id", id.getString());
        found.put("picture_kind", picture.getType().getString());
        found.put("picture", encoded(picture.getData().getOctets()));
        found.put("width_mm", picture.getWidth().getValue());
        found.put("height_mm", picture.getHeight().getValue());
        return found;
    }

    private static List<String> certificates(SES_CertList list) {
        if (list.getCerts() != null) {
            return certificates((ASN1Sequence) list.getCerts().toASN1Primitive());
        }
        List<String> found = new ArrayList<>();
        for (Object each : (ASN1Sequence) list.getCertDigestList().toASN1Primitive()) {
            CertDigestObj digest = CertDigestObj.getInstance(each);
            found.add(digest.getType().getString() + ":" + encoded(digest.getValue().getOctets()));
        }
        return found;
    }

    private static List<String> certificates(ASN1Sequence list) {
        List<String> found = new ArrayList<>();
        list.forEach(each -> found.add(encoded(ASN1OctetString.getInstance(each).getOctets())));
        return found;
    }

    private static boolean verified(org.ofdrw.gm.ses.v1.SESeal seal) throws Exception {
        SES_SignInfo maker = seal.getSignInfo();
        byte[] signed = threeParts(seal.getEsealInfo(), maker.getCert(), maker.getSignatureAlgorithm());
        PublicKey key = Bc.certificate(maker.getCert().getOctets()).getPublicKey();
        return Sm2.verify(maker.getSignatureAlgorithm().getId(), key, signed, maker.getSignData().getOctets());
    }

    private static boolean verified(org.ofdrw.gm.ses.v4.SESeal seal) throws Exception {
        byte[] signed = seal.geteSealInfo().getEncoded(ASN1Encoding.DER);
        PublicKey key = Bc.certificate(seal.getCert().getOctets()).getPublicKey();
        return Sm2.verify(seal.getSignAlgID().getId(), key, signed, seal.getSignedValue().getOctets());
    }

    private static byte[] threeParts(
            org.ofdrw.gm.ses.v1.SES_SealInfo info, ASN1OctetString maker, ASN1ObjectIdentifier algorithm)
            throws Exception {
        ASN1EncodableVector parts = new ASN1EncodableVector();
        parts.add(info);
        parts.add(maker);
        parts.add(algorithm);
        return new DERSequence(parts).getEncoded(ASN1Encoding.DER);
    }

    private static byte[] fourth(Request request) throws Exception {
        SES_SealInfo info = new SES_SealInfo()
                .setHeader(new SES_Header(SES_Header.V4, new DERIA5String(request.text("vendor_id"))))
                .setEsID(request.text("seal_id"))
                .setProperty(new SES_ESPropertyInfo()
                        .setType(new ASN1Integer(1))
                        .setName(new DERUTF8String(request.text("name")))
                        .setCertListType(SES_ESPropertyInfo.CertListType)
                        .setCertList(SES_CertList.getInstance(SES_ESPropertyInfo.CertListType, listed(request)))
                        .setCreateDate(general(request.moment("created_at")))
                        .setValidStart(general(request.moment("valid_from")))
                        .setValidEnd(general(request.moment("valid_until"))))
                .setPicture(picture(request));
        byte[] signature = signed(request, info.getEncoded(ASN1Encoding.DER));
        return new org.ofdrw.gm.ses.v4.SESeal()
                .seteSealInfo(info)
                .setCert(Bc.certificate(request.bytes("maker")))
                .setSignAlgID(GMObjectIdentifiers.sm2sign_with_sm3)
                .setSignedValue(signature)
                .getEncoded(ASN1Encoding.DER);
    }

    private static byte[] first(Request request) throws Exception {
        org.ofdrw.gm.ses.v1.SES_SealInfo info = new org.ofdrw.gm.ses.v1.SES_SealInfo()
                .setHeader(new SES_Header(new ASN1Integer(1), new DERIA5String(request.text("vendor_id"))))
                .setEsID(request.text("seal_id"))
                .setProperty(new org.ofdrw.gm.ses.v1.SES_ESPropertyInfo()
                        .setType(1)
                        .setName(request.text("name"))
                        .setCertList(listed(request))
                        .setCreateDate(new ASN1UTCTime(request.moment("created_at")))
                        .setValidStart(new ASN1UTCTime(request.moment("valid_from")))
                        .setValidEnd(new ASN1UTCTime(request.moment("valid_until"))))
                .setPicture(picture(request));
        ASN1OctetString maker = new DEROctetString(request.bytes("maker"));
        ASN1ObjectIdentifier algorithm = GMObjectIdentifiers.sm2sign_with_sm3;
        byte[] signature = signed(request, threeParts(info, maker, algorithm));
        return new org.ofdrw.gm.ses.v1.SESeal(info, new SES_SignInfo(maker, algorithm, new DERBitString(signature)))
                .getEncoded(ASN1Encoding.DER);
    }

    private static byte[] signed(Request request, byte[] message) throws GeneralSecurityException {
        return Sm2.sign(Bc.privateKey(request.bytes("maker_key")), message);
    }

    private static ASN1Sequence listed(Request request) {
        ASN1EncodableVector found = new ASN1EncodableVector();
        request.manyBytes("certificates").forEach(each -> found.add(new DEROctetString(each)));
        return new DERSequence(found);
    }

    private static SES_ESPictrueInfo picture(Request request) {
        return new SES_ESPictrueInfo()
                .setType(request.text("picture_kind"))
                .setData(request.bytes("picture"))
                .setWidth((long) request.number("width_mm"))
                .setHeight((long) request.number("height_mm"));
    }

    private static ASN1GeneralizedTime general(Date moment) {
        return new ASN1GeneralizedTime(moment);
    }

    private static String encoded(byte[] data) {
        return Base64.getEncoder().encodeToString(data);
    }
}
