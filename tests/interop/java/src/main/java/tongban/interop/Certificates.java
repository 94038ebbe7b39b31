package tongban.interop;

import java.security.GeneralSecurityException;
import java.security.cert.CertPath;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertStore;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CRL;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Paths (end certificate first, the anchor apart) and revocation lists, judged by Bouncy Castle's PKIX. */
final class Certificates {
    private Certificates() {}

    static Map<String, Object> verifyPath(Request request) throws GeneralSecurityException {
        List<X509Certificate> path = new ArrayList<>();
        for (byte[] der : request.manyBytes("path")) {
            path.add(Bc.certificate(der));
        }
        List<X509CRL> lists = new ArrayList<>();
        for (byte[] der : request.manyBytes("crls")) {
            lists.add(Bc.revocationList(der));
        }
        X509Certificate anchor = Bc.certificate(request.bytes("anchor"));
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(anchor, null)));
        parameters.setDate(request.moment("at"));
        parameters.setRevocationEnabled(!lists.isEmpty());
        parameters.addCertStore(
                CertStore.getInstance("Collection", new CollectionCertStoreParameters(lists), Bc.PROVIDER));
        CertPath given = Bc.factory().generateCertPath(path);
        try {
            CertPathValidator.getInstance("PKIX", Bc.PROVIDER).validate(given, parameters);
            return Map.of("good", true, "why", "");
        } catch (CertPathValidatorException refused) {
            return Map.of("good", false, "why", Refusals.told(refused));
        }
    }

    static Map<String, Object> verifyCrl(Request request) throws GeneralSecurityException {
        X509CRL list = Bc.revocationList(request.bytes("crl"));
        X509Certificate issuer = Bc.certificate(request.bytes("issuer"));
        list.verify(issuer.getPublicKey(), Bc.PROVIDER);
        List<String> serials = new ArrayList<>();
        if (list.getRevokedCertificates() != null) {
            list.getRevokedCertificates().forEach(each -> serials.add(each.getSerialNumber().toString(16)));
        }
        return Map.of(
                "issued_by", list.getIssuerX500Principal().equals(issuer.getSubjectX500Principal()),
                "serials", serials);
    }
}
