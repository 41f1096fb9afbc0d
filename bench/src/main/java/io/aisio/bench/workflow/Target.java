package io.aisio.bench.workflow;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** Where a workflow's steps run. */
public sealed interface Target {
    /** The name of this machine. */
    String HERE = "this machine";
    /** What the launcher asks whether it may build. */
    String BUILD = "AISIO_BUILD";
    /** That it may not. */
    String NEVER = "never";

    /** This machine, or the one that ssh takes for a name. */
    static Target of(String host, Path home, String remoteHome) {
        return host.isEmpty() ? new Local(home) : new Ssh(host, remoteHome);
    }

    /** How a person knows it. */
    String name();

    /** Where AiSIO lies there. */
    String home();

    /**
     * The command line on this machine that runs one there. No shell here sees the words, and the one that ssh starts
     * there sees them quoted.
     *
     * @param words program and arguments
     */
    List<String> command(List<String> words);

    /** Whether a command ends with its standard input, and so when whoever started it is gone. */
    boolean endsWithInput();

    /** AiSIO's launcher there. */
    default String launcher() {
        return home().isEmpty() ? "aisio" : home() + "/aisio";
    }

    /**
     * This machine.
     *
     * @param path where AiSIO lies
     */
    record Local(Path path) implements Target {
        @Override
        public String name() {
            return HERE;
        }

        @Override
        public String home() {
            return path.toString();
        }

        @Override
        public List<String> command(List<String> words) {
            return List.copyOf(words);
        }

        @Override
        public boolean endsWithInput() {
            return false;
        }
    }

    /**
     * A machine that {@code ssh HOST} reaches without asking for anything; how is the business of ssh's own
     * configuration.
     *
     * @param host as ssh takes it
     * @param home where AiSIO lies there, from the home folder unless it begins with a slash
     */
    record Ssh(String host, String home) implements Target {
        /**
         * Runs the words, and ends them when standard input ends, as it does when ssh or this process dies: sshd alone
         * would let them run on.
         */
        private static final String TIED = "exec 3<&0; \"$@\" </dev/null 3<&- & child=$!; "
                + "{ cat <&3 >/dev/null; kill $child; } 2>/dev/null & guard=$!; exec 3<&-; "
                + "wait $child; status=$?; kill $guard 2>/dev/null; exit $status";

        /** Checks the name: one that begins with a dash would be an option of ssh's. */
        public Ssh {
            if (host.isBlank() || host.startsWith("-") || host.chars().anyMatch(Character::isWhitespace)) {
                throw new IllegalArgumentException("--ssh '" + host + "': a host as ssh takes it, such as user@host");
            }
        }

        @Override
        public String name() {
            return host;
        }

        @Override
        public List<String> command(List<String> words) {
            List<String> there = new ArrayList<>(List.of("env", BUILD + "=" + NEVER, "sh", "-c", TIED, "sh"));
            there.addAll(words);
            return List.of("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-T", host, quoted(there));
        }

        /** What feeds a program by its standard input, without the tie. */
        List<String> plain(List<String> words) {
            return List.of("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-T", host, quoted(words));
        }

        @Override
        public boolean endsWithInput() {
            return true;
        }

        private static String quoted(List<String> words) {
            return words.stream()
                    .map(word -> "'" + word.replace("'", "'\\''") + "'")
                    .collect(Collectors.joining(" "));
        }
    }

    /**
     * What the machine is.
     *
     * @param questions what else to ask, as {@code facts.sh} takes it
     * @throws IOException if it cannot be asked, with what ssh said
     */
    default MachineFacts facts(List<String> questions) throws IOException {
        List<String> words = new ArrayList<>(List.of("sh", "-s", home()));
        words.addAll(questions);
        return MachineFacts.ask(this instanceof Ssh ssh ? ssh.plain(words) : words, name());
    }
}
