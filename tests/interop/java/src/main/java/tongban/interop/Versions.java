package tongban.interop;

import java.util.Map;
import org.ofdrw.sign.OFDSigner;

/** Which libraries judge, by the names of the files they were loaded from. */
final class Versions {
    private Versions() {}

    static Map<String, String> found() {
        return Map.of(
                "java", System.getProperty("java.version"),
                "ofdrw", file(OFDSigner.class),
                "bouncycastle", file(Bc.PROVIDER.getClass()));
    }

    private static String file(Class<?> type) {
        String path = type.getProtectionDomain().getCodeSource().getLocation().getPath();
        return path.substring(path.lastIndexOf('/') + 1);
    }
}
