package tongban.interop;

/** How a library's refusal is told: the classes and messages of the exception and its causes, outermost first. */
final class Refusals {
    private Refusals() {}

    static String told(Throwable refused) {
        StringBuilder text = new StringBuilder();
        for (Throwable each = refused; each != null; each = each.getCause()) {
            text.append(text.isEmpty() ? "" : " <- ");
            text.append(each.getClass().getSimpleName()).append(": ").append(each.getMessage());
        }
        return text.toString();
    }
}
