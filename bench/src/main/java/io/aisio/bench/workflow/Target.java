package io.aisio.bench.workflow;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

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

    /** Whether an exit status says that the way there was lost, and nothing of what ran there. */
    boolean isLost(int exit);

    /** What a person runs to see whether the machine can be reached. */
    String tryByHand();

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

        @Override
        public boolean isLost(int exit) {
            return false;
        }

        @Override
        public String tryByHand() {
            return "sh -c true";
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
         * Runs the words, and ends them and all that they started when standard input ends, as it does when ssh or this
         * process dies: sshd alone would let them run on. In a session of their own they are one group, which is asked
         * first, and killed if it does not listen. A guard that has begun to end them is not stopped by their end.
         */
        private static final String TIED = "exec 3<&0; setsid \"$@\" </dev/null 3<&- & child=$!; "
                + "{ cat <&3 >/dev/null; trap '' TERM; kill -- -$child || kill $child; "
                + "for i in 1 2 3 4 5 6 7 8; do kill -s 0 -- -$child || exit; sleep 1; done; kill -s KILL -- -$child; "
                + "} 2>/dev/null & guard=$!; exec 3<&-; "
                + "wait $child; status=$?; kill $guard 2>/dev/null; "
                + "[ $status != 255 ] || status=254; exit $status";

        /** How ssh tells that it failed itself; what ran there tells 254 instead. */
        private static final int FAILED = 255;

        /** Without an answer for 45 s the connection has ended, as sshd does not say so when a network is gone. */
        private static final List<String> SSH =
                List.of("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=15", "-T");

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
            return ssh(there);
        }

        /** What feeds a program by its standard input, without the tie. */
        List<String> plain(List<String> words) {
            return ssh(words);
        }

        private List<String> ssh(List<String> words) {
            List<String> all = new ArrayList<>(SSH);
            all.add(host);
            all.add(ShellWords.quoted(words));
            return all;
        }

        @Override
        public boolean isLost(int exit) {
            return exit == FAILED;
        }

        @Override
        public String tryByHand() {
            return "ssh " + host + " true";
        }

        @Override
        public boolean endsWithInput() {
            return true;
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
        return MachineFacts.ask(this instanceof Ssh ssh ? ssh.plain(words) : words, this);
    }

    /**
     * Refuses a machine on which a workflow's own tools are not.
     *
     * @param machine what it told
     */
    default void requireLauncher(Workflow workflow, MachineFacts machine) throws IOException {
        if (workflow.steps().stream().anyMatch(step -> step.kind() == Step.Kind.AISIO)
                && !machine.has("aisio.launcher")) {
            throw new IOException(name() + ": there is no " + launcher()
                    + "; next: bring AiSIO there and start it once," + " or say where it lies by --ssh-home");
        }
    }
}
