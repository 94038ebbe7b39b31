package tongban.interop;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.Base64;
import java.util.Map;
import java.util.stream.LongStream;
import org.ofdrw.reader.OFDReader;
import org.ofdrw.sign.ExtendSignatureContainer;
import org.ofdrw.sign.NumberFormatAtomicSignID;
import org.ofdrw.sign.OFDSigner;
import org.ofdrw.sign.SignMode;
import org.ofdrw.sign.signContainer.SESV1Container;
import org.ofdrw.sign.signContainer.SESV4Container;
import org.ofdrw.sign.stamppos.NormalStampPos;
import org.ofdrw.sign.verify.OFDValidator;
import org.ofdrw.sign.verify.container.SESV1ValidateContainer;
import org.ofdrw.sign.verify.container.SESV4ValidateContainer;

/** Whole OFD documents, judged and sealed by ofdrw. */
final class Documents {
    private Documents() {}

    /** Answers VALID, or INVALID with what ofdrw says; `generation` chooses its container. */
    static Map<String, Object> verify(Request request) throws Exception {
        boolean first = request.number("generation") == 1;
        try (OFDReader reader = new OFDReader(new ByteArrayInputStream(request.bytes("document")));
                OFDValidator validator = new OFDValidator(reader)) {
            validator.setValidator(first ? new SESV1ValidateContainer() : new SESV4ValidateContainer());
            validator.exeValidate();
            return Map.of("verdict", "VALID", "why", "");
        } catch (Exception refused) {
            return Map.of("verdict", "INVALID", "why", Refusals.told(refused));
        }
    }

    /** Answers the document sealed at the present moment with one stamp; `mode` is a SignMode of ofdrw. */
    static String seal(Request request) throws Exception {
        return Base64.getEncoder().encodeToString(new Sealing(request).once());
    }

    /**
     * Seals `warm_sealings` times unmeasured, or as often as `warm_seconds` allow, then for `seconds`; answers each
     * sealing's length and one result.
     */
    static Map<String, Object> sealMany(Request request) throws Exception {
        Sealing sealing = new Sealing(request);
        byte[] last = sealing.once();
        long warm = System.nanoTime() + (long) (request.number("warm_seconds") * 1e9);
        for (int done = 0; done < request.number("warm_sealings") && System.nanoTime() < warm; done++) {
            last = sealing.once();
        }
        LongStream.Builder spans = LongStream.builder();
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        long processorStart = threads.getCurrentThreadCpuTime();
        long start = System.nanoTime();
        long end = start + (long) (request.number("seconds") * 1e9);
        long now = start;
        while (now < end) {
            last = sealing.once();
            long after = System.nanoTime();
            spans.add(after - now);
            now = after;
        }
        return Map.of(
                "nanoseconds", spans.build().toArray(),
                "processor_nanoseconds", threads.getCurrentThreadCpuTime() - processorStart,
                "document", Base64.getEncoder().encodeToString(last));
    }

    /** What a sealing needs, decoded once. */
    private static final class Sealing {
        private final byte[] document;
        private final byte[] seal;
        private final PrivateKey key;
        private final X509Certificate certificate;
        private final double[] place;
        private final SignMode mode;
        private final boolean first;

        Sealing(Request request) throws Exception {
            document = request.bytes("document");
            seal = request.bytes("seal");
            key = Bc.privateKey(request.bytes("key"));
            certificate = Bc.certificate(request.bytes("certificate"));
            place = request.numbers("place");
            mode = SignMode.valueOf(request.text("mode"));
            first = request.number("generation") == 1;
        }

        byte[] once() throws Exception {
            ByteArrayOutputStream sealed = new ByteArrayOutputStream();
            try (OFDReader reader = new OFDReader(new ByteArrayInputStream(document));
                    OFDSigner signer = new OFDSigner(reader, sealed, new NumberFormatAtomicSignID())) {
                signer.setSignMode(mode);
                signer.setSignContainer(container());
                signer.addApPos(new NormalStampPos((int) place[0], place[1], place[2], place[3], place[4]));
                signer.exeSign();
            }
            return sealed.toByteArray();
        }

        private ExtendSignatureContainer container() {
            return first
                    ? new SESV1Container(key, org.ofdrw.gm.ses.v1.SESeal.getInstance(seal), certificate)
                    : new SESV4Container(key, org.ofdrw.gm.ses.v4.SESeal.getInstance(seal), certificate);
        }
    }
}
