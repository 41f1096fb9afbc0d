package io.aisio.xnvme;

import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What the path to a device can do, and how data goes on it: for tools to show, and for programs to choose by. What a
 * device is, whatever the path, is its {@link Geometry}.
 *
 * @param queues who takes the commands of a {@link Queue} to the device
 * @param traits what else is so; unmodifiable, in the order of {@link Trait}
 */
public record Capabilities(Queues queues, Set<Trait> traits) {
    /** Who takes commands to the device. */
    public enum Queues {
        /** This process writes commands where the controller fetches them; no kernel is on the way. */
        USER_SPACE("user-space queues"),
        /** The kernel takes commands from rings that it shares with this process, many in one call. */
        IO_URING("io_uring"),
        /** Each command is a call that returns when it is done: a queue holds results, and nothing is in flight. */
        SYSTEM_CALLS("system calls");

        private final String text;

        Queues(String text) {
            this.text = text;
        }

        /** For people. */
        @Override
        public String toString() {
            return text;
        }
    }

    /** One thing that a path does or can. */
    public enum Trait {
        /** What {@link Device#write} and writes of a queue say is done; without it they fail. */
        WRITES("writes"),
        /** Data moves between the device and a {@link Buffer}, and nothing copies it on the way. */
        ZERO_COPY("zero copy"),
        /** Data goes past the kernel's page cache. Neither this nor {@link #BUFFERED} is so where no kernel is on the way. */
        DIRECT("direct"),
        /** Data goes through the kernel's page cache: what was read lately may be read without the device. */
        BUFFERED("buffered"),
        /** A thread in {@link Queue#await} sleeps until the device has completed something; without it, it polls. */
        SLEEPS("sleeps"),
        /** The kernel polls the device for completions instead of being interrupted (IORING_SETUP_IOPOLL). */
        DEVICE_POLLED("device polled"),
        /** A thread of the kernel takes commands, so that submitting needs no call (IORING_SETUP_SQPOLL). */
        SUBMISSION_POLLED("submission polled"),
        /** The kernel has the pages of buffers at hand, and does not look them up for each command. */
        REGISTERED_BUFFERS("registered buffers"),
        /** The kernel has the file at hand, and does not look it up for each command. */
        REGISTERED_FILE("registered file"),
        /** Commands of NVMe go to the controller as they are, and their status comes back as it is. */
        NVME_COMMANDS("NVMe commands");

        private final String text;

        Trait(String text) {
            this.text = text;
        }

        /** For people. */
        @Override
        public String toString() {
            return text;
        }
    }

    /** Copies the traits. */
    public Capabilities {
        EnumSet<Trait> sorted = EnumSet.noneOf(Trait.class);
        sorted.addAll(traits);
        traits = Collections.unmodifiableSet(sorted);
    }

    /** What a path with these traits can. */
    public static Capabilities of(Queues queues, Trait... traits) {
        return new Capabilities(queues, Set.copyOf(Arrays.asList(traits)));
    }

    /** Whether the path has a trait. */
    public boolean has(Trait trait) {
        return traits.contains(trait);
    }

    /** These and one more trait, if it is so. */
    public Capabilities with(Trait trait, boolean isSo) {
        if (!isSo || has(trait)) {
            return this;
        }
        EnumSet<Trait> more = EnumSet.of(trait);
        more.addAll(traits);
        return new Capabilities(queues, more);
    }

    /** For people: {@code io_uring, writes, zero copy, direct, sleeps}. */
    @Override
    public String toString() {
        return Stream.concat(Stream.of(queues), traits.stream())
                .map(Object::toString)
                .collect(Collectors.joining(", "));
    }
}
