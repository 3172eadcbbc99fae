import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.protocol.Errors;

/** The driver of Apache Kafka's own clients; its requests are explained in scenarios/driver.py. */
public final class Driver {
    static final ObjectMapper JSON = new ObjectMapper();

    /** The library has no such function. */
    static final class Unavailable extends RuntimeException {
        Unavailable(String reason) {
            super(reason);
        }
    }

    interface Verb {
        Map<String, ?> answer(JsonNode request) throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        if (arguments.length > 1) {
            new Member(arguments[0], JSON.readTree(lines.readLine()), lines).run();
            System.exit(0);
        }
        Map<String, Verb> verbs = new HashMap<>(new Records(arguments[0]).verbs());
        verbs.putAll(new Administration(arguments[0]).verbs());
        for (String line; (line = lines.readLine()) != null; ) {
            JsonNode request = JSON.readTree(line);
            say(answer(verbs.get(request.get("do").asText()), request));
        }
        System.exit(0);
    }

    private static Map<String, ?> answer(Verb verb, JsonNode request) {
        try {
            return verb.answer(request);
        } catch (Unavailable lacking) {
            return Map.of("unavailable", lacking.getMessage());
        } catch (Exception failure) {
            int code = code(failure);
            if (code > 0) {
                return Map.of("refused", code, "text", String.valueOf(failure.getMessage()));
            }
            failure.printStackTrace();
            return Map.of("failed", failure.toString());
        }
    }

    /** Kafka's code of what was thrown, -1 for what is no answer of a broker. */
    static int code(Throwable failure) {
        for (Throwable error = failure; error != null; error = error.getCause()) {
            if (String.valueOf(error.getMessage()).contains("not present in metadata")) {
                // All that a producer says about a topic or partition that metadata does not know.
                return Errors.UNKNOWN_TOPIC_OR_PARTITION.code();
            }
            Errors found = Errors.forException(error);
            if (found != Errors.UNKNOWN_SERVER_ERROR && found != Errors.NONE && found != Errors.REQUEST_TIMED_OUT) {
                return found.code();
            }
        }
        return -1;
    }

    static synchronized void say(Map<String, ?> message) throws Exception {
        System.out.println(JSON.writeValueAsString(message));
        System.out.flush();
    }

    static String packed(byte[] content) {
        return content == null ? null : Base64.getEncoder().encodeToString(content);
    }

    static byte[] unpacked(JsonNode text) {
        return text.isNull() ? null : Base64.getDecoder().decode(text.asText());
    }
}
