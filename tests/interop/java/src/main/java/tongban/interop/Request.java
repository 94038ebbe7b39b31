package tongban.interop;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Date;
import java.util.List;

/** The fields of one request; bytes travel as base64, moments as milliseconds since 1970. */
final class Request {
    private final JsonObject fields;

    private Request(JsonObject fields) {
        this.fields = fields;
    }

    static Request parse(String line) {
        return new Request(JsonParser.parseString(line).getAsJsonObject());
    }

    String text(String name) {
        return demanded(name).getAsString();
    }

    double number(String name) {
        return demanded(name).getAsDouble();
    }

    double[] numbers(String name) {
        List<Double> found = new ArrayList<>();
        demanded(name).getAsJsonArray().forEach(each -> found.add(each.getAsDouble()));
        return found.stream().mapToDouble(Double::doubleValue).toArray();
    }

    byte[] bytes(String name) {
        return Base64.getDecoder().decode(text(name));
    }

    List<byte[]> manyBytes(String name) {
        List<byte[]> found = new ArrayList<>();
        demanded(name).getAsJsonArray().forEach(each -> found.add(Base64.getDecoder().decode(each.getAsString())));
        return found;
    }

    Date moment(String name) {
        return new Date(demanded(name).getAsLong());
    }

    private JsonElement demanded(String name) {
        JsonElement found = fields.get(name);
        if (found == null) {
            throw new IllegalArgumentException("the request lacks " + name);
        }
        return found;
    }
}
