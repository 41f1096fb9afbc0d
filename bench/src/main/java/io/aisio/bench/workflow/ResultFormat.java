package io.aisio.bench.workflow;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a step prints, and so how it becomes numbers.
 *
 * @param kind of program
 * @param pointers of {@link Kind#JSON}: name of a value to the JSON pointer at which it stands
 */
public record ResultFormat(Kind kind, Map<String, String> pointers) {
    /** Copies them. */
    public ResultFormat {
        Objects.requireNonNull(kind, "kind");
        pointers = Collections.unmodifiableMap(new LinkedHashMap<>(pointers));
    }

    /** Who prints it. */
    public enum Kind {
        /** Nothing that is a number. */
        NONE,
        /** {@code ./aisio xnvmeperf run} or {@code cuda-run}, with {@code --output json}. */
        XNVMEPERF,
        /** {@code ./aisio filperf run --output json}. */
        FILPERF,
        /** {@code fio --output-format=json}, without {@code --group_reporting}: that gives the jobs' mean CPU time. */
        FIO,
        /** SPDK's {@code spdk_nvme_perf} or {@code bdevperf}: the line that begins with Total. */
        SPDK,
        /** xNVMe's own {@code xnvmeperf}: the line that begins with Total. */
        XNVME,
        /** Any JSON, of which some values are taken. */
        JSON
    }

    private static final JsonMapper JSON_MAPPER = JsonMapper.builder().build();
    private static final Pattern TOTAL = Pattern.compile("(?m)^\\s*Total\\s*:(.*)$");
    private static final Pattern NUMBER = Pattern.compile("-?\\d+(?:\\.\\d+)?(?:[eE][-+]?\\d+)?");
    /** Numbers after bdevperf's Total: IOPS, MiB/s, Fail/s, TO/s, average, min, max; nvme perf has no two in the middle. */
    private static final int BDEVPERF_NUMBERS = 7;

    private static final int NVME_PERF_NUMBERS = 5;
    private static final Map<String, String> PERCENTILES = Map.of(
            "50.000000", "latency_p50_ns",
            "99.000000", "latency_p99_ns",
            "99.900000", "latency_p999_ns",
            "99.990000", "latency_p9999_ns");

    static final ResultFormat NONE = new ResultFormat(Kind.NONE, Map.of());

    static ResultFormat read(String place, @Nullable Object value) {
        if (value == null) {
            return NONE;
        }
        if (value instanceof Map<?, ?>) {
            YamlMapping from = YamlMapping.of(place + ", result", value);
            Map<String, String> pointers = new LinkedHashMap<>();
            from.values("json").forEach((name, pointer) -> pointers.put(name, pointer.toString()));
            from.refuseOthers();
            return new ResultFormat(Kind.JSON, pointers);
        }
        try {
            Kind kind = Kind.valueOf(value.toString().toUpperCase(Locale.ROOT));
            if (kind != Kind.JSON) {
                return new ResultFormat(kind, Map.of());
            }
        } catch (IllegalArgumentException e) {
            // The message below says what is expected.
        }
        throw new IllegalArgumentException(place + ": no result '" + value
                + "'; none, xnvmeperf, filperf, fio, spdk, xnvme, or json: {name: /pointer}");
    }

    /**
     * The numbers in an output.
     *
     * @throws IOException if it is not what it is said to be
     */
    Outcome outcome(String output) throws IOException {
        return switch (kind) {
            case NONE -> Outcome.NOTHING;
            case XNVMEPERF, FIO -> jobs(json(output));
            case FILPERF -> files(json(output));
            case SPDK, XNVME -> total(output);
            case JSON -> pointed(json(output));
        };
    }

    private static JsonNode json(String output) throws IOException {
        // fio may say something before it prints.
        int begin = output.indexOf('{');
        try {
            if (begin >= 0) {
                return JSON_MAPPER.readTree(output.substring(begin));
            }
        } catch (JacksonException e) {
            throw new IOException("its standard output is no JSON: " + e.getOriginalMessage(), e);
        }
        throw new IOException("its standard output is no JSON");
    }

    /** fio's shape, which is xnvmeperf's too: a job is a device. */
    private Outcome jobs(JsonNode root) throws IOException {
        if (!root.path("jobs").isArray() || root.path("jobs").isEmpty()) {
            throw new IOException("its JSON has no 'jobs'");
        }
        Map<String, Double> values = new LinkedHashMap<>();
        Latencies latencies = new Latencies();
        List<Outcome.Part> parts = new ArrayList<>();
        double iops = 0;
        double bytes = 0;
        for (JsonNode job : root.path("jobs")) {
            double own = 0;
            double ownBytes = 0;
            for (String direction : List.of("read", "write")) {
                JsonNode moved = job.path(direction);
                own += moved.path("iops").asDouble(0);
                ownBytes += moved.path("bw_bytes").asDouble(0);
                latencies.add(moved.path("clat_ns"));
            }
            parts.add(new Outcome.Part(
                    job.path("jobname").asString("?"), Map.of("iops", own, "bytes_per_second", ownBytes)));
            iops += own;
            bytes += ownBytes;
        }
        values.put("iops", iops);
        values.put("bytes_per_second", bytes);
        latencies.tell(values);
        List<String> notes = new ArrayList<>();
        if (kind == Kind.FIO) {
            double percent = 0;
            for (JsonNode job : root.path("jobs")) {
                percent += job.path("usr_cpu").asDouble(0) + job.path("sys_cpu").asDouble(0);
            }
            values.put("cpu_percent", percent);
            values.put("cpu_ns_per_io", iops == 0 ? 0 : percent / 100 * 1e9 / iops);
        } else {
            JsonNode cpu = root.path("cpu");
            for (String name : List.of("cpu_percent", "driver_cpu_percent", "cpu_ns_per_io", "cycles_per_io")) {
                JsonNode told = cpu.path(name);
                if (told.isNumber()) {
                    values.put(name, told.asDouble());
                }
            }
            if (root.path("cpu_percent").isNumber()) {
                values.put("cpu_percent", root.path("cpu_percent").asDouble());
            }
            String missing = cpu.path("cycles_missing").asString("");
            if (!missing.isEmpty()) {
                notes.add("cycles: " + missing);
            }
        }
        root.path("notes").forEach(note -> notes.add(note.asString("")));
        return new Outcome(values, parts, notes);
    }

    /** Percentiles of several devices have no common one: the slowest device's count. */
    private static final class Latencies {
        private double count;
        private double sum;
        private final Map<String, Double> worst = new LinkedHashMap<>();

        void add(JsonNode latency) {
            double n = latency.path("N").asDouble(0);
            if (n == 0) {
                return;
            }
            count += n;
            sum += n * latency.path("mean").asDouble(0);
            PERCENTILES.forEach((key, name) -> {
                JsonNode value = latency.path("percentile").path(key);
                if (value.isNumber()) {
                    worst.merge(name, value.asDouble(), Math::max);
                }
            });
        }

        void tell(Map<String, Double> values) {
            if (count > 0) {
                values.put("latency_mean_ns", sum / count);
                PERCENTILES.values().stream()
                        .sorted()
                        .filter(worst::containsKey)
                        .forEach(name -> {
                            values.put(name, worst.get(name));
                        });
            }
        }
    }

    private static Outcome files(JsonNode root) throws IOException {
        JsonNode read = root.path("read");
        if (!read.path("files_per_s").isNumber()) {
            throw new IOException("its JSON has no 'read.files_per_s'");
        }
        return new Outcome(
                Map.of(
                        "files_per_second", read.path("files_per_s").asDouble(),
                        "bytes_per_second", read.path("bw_bytes").asDouble(0),
                        "iops", read.path("iops").asDouble(0)),
                List.of(),
                List.of());
    }

    private Outcome total(String output) throws IOException {
        Matcher line = TOTAL.matcher(output);
        List<Double> numbers = new ArrayList<>();
        while (line.find()) {
            numbers.clear();
            Matcher number = NUMBER.matcher(line.group(1));
            while (number.find()) {
                numbers.add(Double.valueOf(number.group()));
            }
        }
        if (numbers.size() < 2) {
            throw new IOException("its standard output has no line 'Total: IOPS MiB/s …'");
        }
        Map<String, Double> values = new LinkedHashMap<>();
        values.put("iops", numbers.get(0));
        values.put("bytes_per_second", numbers.get(1) * (1 << 20));
        if (kind == Kind.SPDK && numbers.size() >= NVME_PERF_NUMBERS) {
            double micros = numbers.get(numbers.size() >= BDEVPERF_NUMBERS ? 4 : 2);
            values.put("latency_mean_ns", micros * 1000);
        }
        return new Outcome(values, List.of(), List.of());
    }

    private Outcome pointed(JsonNode root) throws IOException {
        Map<String, Double> values = new LinkedHashMap<>();
        for (Map.Entry<String, String> pointer : pointers.entrySet()) {
            JsonNode value = root.at(pointer.getValue());
            if (!value.isNumber()) {
                throw new IOException("its JSON has no number at " + pointer.getValue());
            }
            values.put(pointer.getKey(), value.asDouble());
        }
        return new Outcome(values, List.of(), List.of());
    }
}
