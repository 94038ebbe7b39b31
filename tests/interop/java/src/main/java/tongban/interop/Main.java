package tongban.interop;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Reads one request per line of standard input, {"do": NAME, ...}, and answers each with one line of JSON on standard
 * output: {"answer": ...}, or {"error": class and message} where a library refused what it was given.
 */
public final class Main {
    private static final Gson JSON = new GsonBuilder().disableHtmlEscaping().serializeNulls().create();

    /** One thing that can be asked. */
    interface Command {
        Object answer(Request request) throws Exception;
    }

    private static final Map<String, Command> COMMANDS = Map.ofEntries(
            Map.entry("versions", request -> Versions.found()),
            Map.entry("verify_ofd", Documents::verify),
            Map.entry("seal_ofd", Documents::seal),
            Map.entry("seal_many", Documents::sealMany),
            Map.entry("make_seal", Seals::make),
            Map.entry("parse_seal", Seals::parse),
            Map.entry("verify_seal_signature", Seals::verify),
            Map.entry("parse_ses_signature", SealedValues::parse),
            Map.entry("verify_ses_signature", SealedValues::verify),
            Map.entry("verify_token", Timestamps::verify),
            Map.entry("sign_sm2", Sm2::sign),
            Map.entry("verify_sm2", Sm2::verify),
            Map.entry("verify_certificate_path", Certificates::verifyPath),
            Map.entry("verify_crl", Certificates::verifyCrl));

    private Main() {}

    /** Answers until standard input ends. */
    public static void main(String[] arguments) throws Exception {
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.setOut(System.err); // what a library prints must not stand between the answers
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            answers.println(JSON.toJson(answer(line)));
        }
    }

    private static Map<String, Object> answer(String line) {
        Map<String, Object> reply = new LinkedHashMap<>();
        try {
            Request request = Request.parse(line);
            Command command = COMMANDS.get(request.text("do"));
            if (command == null) {
                throw new IllegalArgumentException("no such command: " + request.text("do"));
            }
            reply.put("answer", command.answer(request));
        } catch (Exception | StackOverflowError | ExceptionInInitializerError refused) {
            reply.put("error", Refusals.told(refused));
        }
        return reply;
    }
}
