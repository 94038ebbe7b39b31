package tongban.interop;

import java.security.PublicKey;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bouncycastle.asn1.ASN1Encoding;
import org.bouncycastle.asn1.ASN1Sequence;
import org.ofdrw.gm.ses.parse.SESVersion;
import org.ofdrw.gm.ses.parse.SESVersionHolder;
import org.ofdrw.gm.ses.parse.VersionParser;

/** The contents of SignedValue.dat (SES_Signature) of generations 1 and 4 as ofdrw's classes read them. */
final class SealedValues {
    private SealedValues() {}

    static Map<String, Object> parse(Request request) throws Exception {
        SESVersionHolder held = held(request);
        return held.getVersion() == SESVersion.v1
                ? described(org.ofdrw.gm.ses.v1.SES_Signature.getInstance(held.getObjSeq()))
                : described(org.ofdrw.gm.ses.v4.SES_Signature.getInstance(held.getObjSeq()));
    }

    /** Answers whether the signature holds over the TBS_Sign that ofdrw encodes again. */
    static boolean verify(Request request) throws Exception {
        SESVersionHolder held = held(request);
        if (held.getVersion() == SESVersion.v1) {
            var value = org.ofdrw.gm.ses.v1.SES_Signature.getInstance(held.getObjSeq());
            PublicKey key = Bc.certificate(value.getToSign().getCert().getOctets()).getPublicKey();
            String oid = value.getToSign().getSignatureAlgorithm().getId();
            byte[] signed = value.getToSign().getEncoded(ASN1Encoding.DER);
            return Sm2.verify(oid, key, signed, value.getSignature().getOctets());
        }
        var value = org.ofdrw.gm.ses.v4.SES_Signature.getInstance(held.getObjSeq());
        PublicKey key = Bc.certificate(value.getCert().getOctets()).getPublicKey();
        byte[] signed = value.getToSign().getEncoded(ASN1Encoding.DER);
        return Sm2.verify(value.getSignatureAlgID().getId(), key, signed, value.getSignature().getOctets());
    }

    private static SESVersionHolder held(Request request) throws Exception {
        return VersionParser.parseSES_SignatureVersion(ASN1Sequence.getInstance(request.bytes("value")));
    }

    private static Map<String, Object> described(org.ofdrw.gm.ses.v1.SES_Signature value) throws Exception {
        var signed = value.getToSign();
        Map<String, Object> found = new LinkedHashMap<>();
        found.put("generation", signed.getVersion().getValue());
        found.put("seal", Seals.described(signed.getEseal()));
        found.put("data_hash", encoded(signed.getDataHash().getOctets()));
        found.put("property_info", signed.getPropertyInfo().getString());
        found.put("certificate", encoded(signed.getCert().getOctets()));
        found.put("algorithm", signed.getSignatureAlgorithm().getId());
        found.put("signature", encoded(value.getSignature().getOctets()));
        return found;
    }

    private static Map<String, Object> described(org.ofdrw.gm.ses.v4.SES_Signature value) throws Exception {
        var signed = value.getToSign();
        Map<String, Object> found = new LinkedHashMap<>();
        found.put("generation", signed.getVersion().getValue());
        found.put("seal", Seals.described(signed.getEseal()));
        found.put("signed_at", signed.getTimeInfo().getDate().getTime());
        found.put("data_hash", encoded(signed.getDataHash().getOctets()));
        found.put("property_info", signed.getPropertyInfo().getString());
        found.put("certificate", encoded(value.getCert().getOctets()));
        found.put("algorithm", value.getSignatureAlgID().getId());
        found.put("signature", encoded(value.getSignature().getOctets()));
        found.put("timestamp", value.getTimeStamp() == null ? null : encoded(value.getTimeStamp().getOctets()));
        return found;
    }

    private static String encoded(byte[] data) {
        return Base64.getEncoder().encodeToString(data);
    }
}
