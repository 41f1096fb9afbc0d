package io.aisio.bench.workflow;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.aisio.linux.CpuSet;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * What a machine is, as {@code facts.sh} tells it: the same here and over ssh.
 *
 * @param facts key to value, in the order told
 */
public record MachineFacts(Map<String, String> facts) {
    /** Copies them. */
    public MachineFacts {
        facts = Collections.unmodifiableMap(new LinkedHashMap<>(facts));
    }

    /** A processor: its number, and the core that it is a thread of. */
    private record Cpu(int number, String core) {}

    static MachineFacts ask(List<String> command, Target target) throws IOException {
        Process process = new ProcessBuilder(command).start();
        String told;
        String said;
        try (InputStream script = Objects.requireNonNull(
                        MachineFacts.class.getResourceAsStream("facts.sh"), "facts.sh is not in the module");
                OutputStream input = process.getOutputStream()) {
            script.transferTo(input);
        } catch (IOException e) {
            // It ended before it had read all; what it said below is the reason.
            process.destroy();
        }
        told = new String(process.getInputStream().readAllBytes(), UTF_8);
        said = new String(process.getErrorStream().readAllBytes(), UTF_8);
        MachineFacts facts = parse(told);
        if (!facts.has("kernel")) {
            throw new IOException(target.name() + " does not tell what it is: "
                    + said.strip().lines().reduce((a, b) -> b).orElse("no answer") + "; next: try '"
                    + target.tryByHand() + "' until it asks for nothing");
        }
        return facts;
    }

    static MachineFacts parse(String told) {
        Map<String, String> facts = new LinkedHashMap<>();
        told.lines().forEach(line -> {
            int tab = line.indexOf('\t');
            if (tab > 0) {
                facts.put(line.substring(0, tab), line.substring(tab + 1).strip());
            }
        });
        return new MachineFacts(facts);
    }

    /** Whether something is told of that. */
    public boolean has(String key) {
        return facts.containsKey(key);
    }

    /** What is told of that; nothing is an empty text. */
    public String get(String key) {
        return facts.getOrDefault(key, "");
    }

    boolean isRoot() {
        return get("user").equals("0");
    }

    boolean hasGpu() {
        return has("gpu.0");
    }

    /** The values that every workflow has: processors by number. */
    Map<String, Object> values() {
        return Map.of("machine_cores", cores(), "machine_threads", threads());
    }

    /** One thread of each core, the cores of a socket together. */
    List<Integer> cores() {
        Set<String> seen = new HashSet<>();
        return cpus().stream()
                .filter(cpu -> seen.add(cpu.core))
                .map(Cpu::number)
                .toList();
    }

    /** All threads, those of a core together. */
    List<Integer> threads() {
        return cpus().stream()
                .sorted(Comparator.comparingInt((Cpu cpu) -> cores().indexOf(first(cpu.core))))
                .map(Cpu::number)
                .toList();
    }

    private int first(String core) {
        return cpus().stream().filter(cpu -> cpu.core.equals(core)).findFirst().orElseThrow().number;
    }

    /** Those that a process may use, by socket, then number. */
    private List<Cpu> cpus() {
        int[] allowed = CpuSet.ofList(get("cpus.allowed").isEmpty() ? "0" : get("cpus.allowed"))
                .toArray();
        Map<Integer, String> cores = new LinkedHashMap<>();
        for (String entry : get("cpus.topology").split(" ", -1)) {
            String[] parts = entry.split("/", -1);
            if (parts.length == 3) {
                cores.put(Integer.valueOf(parts[0]), parts[1] + "/" + parts[2]);
            }
        }
        List<Cpu> cpus = new ArrayList<>();
        for (int number : allowed) {
            cpus.add(new Cpu(number, cores.getOrDefault(number, "?/" + number)));
        }
        cpus.sort(Comparator.comparing((Cpu cpu) -> cpu.core.split("/", -1)[0]).thenComparingInt(Cpu::number));
        return cpus;
    }

    /** The words that questions are made of, without doubles. */
    public static List<String> questions(Workflow workflow) {
        return workflow.steps().stream()
                .flatMap(step -> step.needs().stream())
                .flatMap(need -> need.question().stream())
                .distinct()
                .sorted()
                .toList();
    }

    /** Every word, for tests. */
    static MachineFacts of(String... lines) {
        return parse(String.join("\n", Arrays.asList(lines)));
    }
}
