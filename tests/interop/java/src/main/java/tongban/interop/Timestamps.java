package tongban.interop;

import java.util.Arrays;
import java.util.Map;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jcajce.provider.digest.SM3;
import org.bouncycastle.tsp.TimeStampToken;

/** RFC 3161 tokens, judged by the certificate that they carry. */
final class Timestamps {
    private Timestamps() {}

    @SuppressWarnings("unchecked") // a SignerId is a selector of certificates, but its type does not say so
    static Map<String, Object> verify(Request request) throws Exception {
        TimeStampToken token = new TimeStampToken(new CMSSignedData(request.bytes("token")));
        X509CertificateHolder holder = (X509CertificateHolder)
                token.getCertificates().getMatches(token.getSID()).iterator().next();
        token.validate(new JcaSimpleSignerInfoVerifierBuilder().setProvider(Bc.PROVIDER).build(holder));
        byte[] digest = new SM3.Digest().digest(request.bytes("stamped"));
        return Map.of(
                "imprint", Arrays.equals(token.getTimeStampInfo().getMessageImprintDigest(), digest),
                "imprint_algorithm", token.getTimeStampInfo().getMessageImprintAlgOID().getId(),
                "generated_at", token.getTimeStampInfo().getGenTime().getTime(),
                "serial", token.getTimeStampInfo().getSerialNumber().toString(),
                "policy", token.getTimeStampInfo().getPolicy().getId());
    }
}
