package tongban.interop;

import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.util.Base64;

/** SM2 with SM3 under Bouncy Castle's default ID, which is the one of GM/T 0009. */
final class Sm2 {
    private static final String OID = "1.2.156.10197.1.501";

    private Sm2() {}

    static String sign(Request request) throws GeneralSecurityException {
        byte[] signature = sign(Bc.privateKey(request.bytes("key")), request.bytes("message"));
        return Base64.getEncoder().encodeToString(signature);
    }

    static boolean verify(Request request) throws GeneralSecurityException {
        return verify(OID, Bc.publicKey(request.bytes("spki")), request.bytes("message"), request.bytes("signature"));
    }

    static byte[] sign(PrivateKey key, byte[] message) throws GeneralSecurityException {
        Signature signer = Signature.getInstance(OID, Bc.PROVIDER);
        signer.initSign(key);
        signer.update(message);
        return signer.sign();
    }

    static boolean verify(String oid, PublicKey key, byte[] message, byte[] signature)
            throws GeneralSecurityException {
        Signature verifier = Signature.getInstance(oid, Bc.PROVIDER);
        verifier.initVerify(key);
        verifier.update(message);
        return verifier.verify(signature);
    }
}
