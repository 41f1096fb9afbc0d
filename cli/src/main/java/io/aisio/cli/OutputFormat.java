package io.aisio.cli;

import io.aisio.cli.XnvmeReport.Format;
import picocli.CommandLine.Option;

/** Who reads what {@code homi} and {@code model} print. */
final class OutputFormat {
    @Option(
            names = "--output",
            defaultValue = "human",
            paramLabel = "FORMAT",
            description = "human, yaml or json (human).")
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private Kind kind;

    /** Who. */
    enum Kind {
        human,
        yaml,
        json
    }

    /** Whether people read it. */
    boolean human() {
        return kind == Kind.human;
    }

    /** Whether programs read it, a line at a time. */
    boolean json() {
        return kind == Kind.json;
    }

    /** For people too, as a list of names and values. */
    Format format() {
        return switch (kind) {
            case human -> Format.text;
            case yaml -> Format.yaml;
            case json -> Format.json;
        };
    }
}
