package io.aisio.bench.workflow;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a task told, in numbers. Names carry units; what was not measured is not there.
 *
 * @param values such as {@code iops}, {@code bytes_per_second}, {@code latency_p99_ns}, {@code cpu_percent}
 * @param parts what each device gave
 * @param notes what a person should know, such as why something was not measured
 */
public record Outcome(Map<String, Double> values, List<Part> parts, List<String> notes) {
    static final Outcome NOTHING = new Outcome(Map.of(), List.of(), List.of());

    /** Copies them. */
    public Outcome {
        values = Collections.unmodifiableMap(new LinkedHashMap<>(values));
        parts = List.copyOf(parts);
        notes = List.copyOf(notes);
    }

    /**
     * A device's part.
     *
     * @param name of the device
     * @param values as of the whole
     */
    public record Part(String name, Map<String, Double> values) {
        /** Copies them. */
        public Part {
            values = Collections.unmodifiableMap(new LinkedHashMap<>(values));
        }
    }
}
