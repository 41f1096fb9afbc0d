package io.aisio.homi.daemon;

import io.aisio.homi.rpc.JsonLines;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Lists that are told as far as a line of the protocol has room. {@code more} says how many entries it had none for; who
 * wants those asks again, and says how many he has.
 */
final class Part {
    /** What all lists may take of a line; the rest is for what stands beside them. */
    private static final int MOST_BYTES = JsonLines.MOST_BYTES - (4 << 10);

    private final ObjectNode result;
    private int known;
    private int bytes;
    private int more;

    /**
     * @param result that the lists come into
     * @param known entries that were told before, of all lists one after the other
     */
    Part(ObjectNode result, int known) {
        this.result = result;
        this.known = known;
    }

    /** Adds a list, as far as there is room. */
    Part list(String name, Iterable<?> entries) {
        ArrayNode told = result.putArray(name);
        for (Object entry : entries) {
            if (known > 0) {
                known--;
            } else if (more > 0) {
                more++;
            } else {
                JsonNode node = JsonLines.JSON.valueToTree(entry);
                int its = JsonLines.JSON.writeValueAsBytes(node).length + 1;
                // One that has no room in a line of its own is refused when that is sent, and not left out for good.
                if (bytes > 0 && bytes + its > MOST_BYTES) {
                    more++;
                } else {
                    bytes += its;
                    told.add(node);
                }
            }
        }
        return this;
    }

    /** The result, which says what was left out. */
    ObjectNode end() {
        return result.put("more", more);
    }
}
