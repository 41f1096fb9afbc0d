package io.aisio.bench.workflow;

import java.util.Optional;
import java.util.Set;

/**
 * What a step cannot run without.
 *
 * @param kind what it is
 * @param what which one, such as a program's name; empty of those that are one word
 * @param remedy how to get it; may be empty
 */
record Need(Kind kind, String what, String remedy) {
    /** Kinds of needs. */
    enum Kind {
        /** To be root. */
        ROOT,
        /** Devices that a person named, none of them in software. */
        DEVICES,
        /** A GPU of NVIDIA's with its driver. */
        GPU,
        /** A program that the shell finds. */
        PROGRAM,
        /** A file or folder. */
        FILE
    }

    static Need read(YamlMapping from) {
        Need need;
        String remedy = from.textOr("get", "");
        if (from.has("program")) {
            need = new Need(Kind.PROGRAM, from.text("program"), String.valueOf(remedy));
        } else if (from.has("file")) {
            need = new Need(Kind.FILE, from.text("file"), String.valueOf(remedy));
        } else {
            throw new IllegalArgumentException(from.place()
                    + ": a need is 'root', 'devices', 'gpu', or a mapping of 'program' or 'file', and 'get'");
        }
        from.refuseOthers();
        return need;
    }

    /** A need that is one word. */
    static Need word(String place, String word) {
        return switch (word) {
            case "root" -> new Need(Kind.ROOT, "", "put sudo before the command");
            case "devices" -> new Need(Kind.DEVICES, "", "name them on the command line");
            case "gpu" -> new Need(Kind.GPU, "", "run it on a machine with a GPU and NVIDIA's driver");
            default ->
                throw new IllegalArgumentException(
                        place + ": no need '" + word + "'; root, devices, gpu, or a mapping");
        };
    }

    /** Why the machine cannot; nothing if it can. */
    Optional<String> missing(MachineFacts machine, Workflow.Choices choices) {
        String text = switch (kind) {
            case ROOT -> machine.isRoot() ? "" : "root";
            case DEVICES ->
                choices.devices().isEmpty() || choices.devices().stream().anyMatch(Workflow::isSoftware)
                        ? "real devices"
                        : "";
            case GPU -> machine.hasGpu() ? "" : "a GPU that CUDA can use";
            case PROGRAM -> machine.has("program." + what) ? "" : "the program " + what;
            case FILE -> machine.has("file." + what) ? "" : "the file " + what;
        };
        return text.isEmpty()
                ? Optional.empty()
                : Optional.of("needs " + text + (remedy.isEmpty() ? "" : "; next: " + remedy));
    }

    /** How the question for it is put to {@link MachineFacts}; empty where it is asked anyway. */
    Set<String> question() {
        return switch (kind) {
            case PROGRAM -> Set.of("program:" + what);
            case FILE -> Set.of("file:" + what);
            case ROOT, DEVICES, GPU -> Set.of();
        };
    }
}
