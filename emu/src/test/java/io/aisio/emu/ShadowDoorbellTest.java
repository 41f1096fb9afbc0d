package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.nvme.spec.IdentifyController;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Registers;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import io.aisio.upcie.DmaMemory;
import org.junit.jupiter.api.Test;

class ShadowDoorbellTest {
    private static final int ENTRIES = 4;

    /** A controller with shadow doorbells, and the two pages. */
    private static final class Shadowed implements AutoCloseable {
        final Host host = Host.ready(EmuConfiguration.memory(1 << 20).withShadow(true));
        final DmaMemory values = host.function.allocate(4096);
        final DmaMemory events = host.function.allocate(4096);

        Shadowed() throws Exception {}

        int configure() {
            return host.admin.status(
                    Host.Entry.of(Opcode.DOORBELL_BUFFER_CONFIG, 0).prps(values.iova(0), events.iova(0)));
        }

        long tailOf(Host.Ring ring) {
            return Registers.sqTailDoorbell(ring.id, host.stride) - Registers.DOORBELLS;
        }

        long headOf(Host.Ring ring) {
            return Registers.cqHeadDoorbell(ring.id, host.stride) - Registers.DOORBELLS;
        }

        /** One Flush as section 7.13 has it; whether the doorbell had to ring. */
        boolean flush(Host.Ring ring, boolean obey) {
            int old = ring.tail;
            ring.put(Host.Entry.of(Opcode.FLUSH, 1), 7);
            Wire.i32(values.segment(), tailOf(ring), ring.tail);
            int event = Wire.i32(events.segment(), tailOf(ring));
            boolean rings = ((ring.tail - event - 1) & 0xFFFF) < ((ring.tail - old) & 0xFFFF);
            if (rings && obey) {
                ring.ring();
            }
            return rings;
        }

        void take(Host.Ring ring) {
            host.await(ring::ready);
            assertThat(ring.take().status().isSuccess()).isTrue();
            Wire.i32(values.segment(), headOf(ring), ring.head);
        }

        @Override
        public void close() {
            host.close();
        }
    }

    @Test
    void saysThatItTakesThemOnlyIfItDoes() throws Exception {
        try (Host without = Host.ready(EmuConfiguration.memory(1 << 20));
                Shadowed with = new Shadowed()) {
            assertThat(without.admin.status(Host.Entry.of(Opcode.DOORBELL_BUFFER_CONFIG, 0)
                            .prps(without.data.iova(0), without.data.iova(4096))))
                    .isEqualTo(Status.INVALID_OPCODE);
            assertThat(with.configure()).isZero();
            with.host.admin.run(Host.Entry.of(Opcode.IDENTIFY, 0)
                    .prps(with.host.data.iova(0), 0)
                    .dwords(1, 0));
            assertThat(Wire.u16(with.host.data.segment(), IdentifyController.OACS)
                            & IdentifyController.OACS_DOORBELL_BUFFER)
                    .isNotZero();
        }
    }

    @Test
    void runsAQueueThroughThemMoreThanOnceAroundIt() throws Exception {
        try (Shadowed shadowed = new Shadowed()) {
            assertThat(shadowed.configure()).isZero();
            Host.Ring ring = shadowed.host.createQueue(1, ENTRIES);
            for (int i = 0; i < 5 * ENTRIES; i++) {
                shadowed.host.settle();
                assertThat(shadowed.flush(ring, true))
                        .as("an idle controller asks for the doorbell, at %d", i)
                        .isTrue();
                shadowed.take(ring);
            }
        }
    }

    @Test
    void asksForTheDoorbellWhileItDoesNotLook() throws Exception {
        try (Shadowed shadowed = new Shadowed()) {
            assertThat(shadowed.configure()).isZero();
            Host.Ring ring = shadowed.host.createQueue(1, ENTRIES);
            shadowed.host.settle();
            assertThat(shadowed.flush(ring, false)).isTrue();
            shadowed.host.settle();
            assertThat(ring.ready()).as("nobody rang").isFalse();
            ring.ring();
            shadowed.take(ring);
        }
    }

    @Test
    void takesOverAQueueThatIsInUse() throws Exception {
        try (Shadowed shadowed = new Shadowed()) {
            Host.Ring ring = shadowed.host.createQueue(1, ENTRIES);
            for (int i = 0; i < ENTRIES + 2; i++) {
                assertThat(ring.status(Host.Entry.of(Opcode.FLUSH, 1))).isZero();
            }
            assertThat(shadowed.configure()).isZero();
            assertThat(Wire.i32(shadowed.values.segment(), shadowed.tailOf(ring)))
                    .isEqualTo(ring.tail);
            assertThat(Wire.i32(shadowed.values.segment(), shadowed.headOf(ring)))
                    .isEqualTo(ring.head);
            for (int i = 0; i < 2 * ENTRIES; i++) {
                shadowed.flush(ring, true);
                shadowed.take(ring);
            }
        }
    }

    @Test
    void goesBackToDoorbellsAfterAReset() throws Exception {
        try (Shadowed shadowed = new Shadowed()) {
            assertThat(shadowed.configure()).isZero();
            shadowed.host.disable();
            shadowed.host.enable();
            Host.Ring ring = shadowed.host.createQueue(1, ENTRIES);
            assertThat(ring.status(Host.Entry.of(Opcode.FLUSH, 1))).isZero();
        }
    }

    @Test
    void tellsOfAWrongValueOnceAndGoesOn() throws Exception {
        try (Shadowed shadowed = new Shadowed()) {
            assertThat(shadowed.configure()).isZero();
            Host.Ring ring = shadowed.host.createQueue(1, ENTRIES);
            for (int wrong : new int[] {ENTRIES, -1, Integer.MIN_VALUE, 0x1_0000}) {
                Wire.i32(shadowed.values.segment(), shadowed.tailOf(ring), wrong);
                Wire.i32(shadowed.values.segment(), shadowed.headOf(ring), wrong);
                ring.ring();
                shadowed.host.settle();
                assertThat(ring.ready()).isFalse();
            }
            assertThat(shadowed.host.csts()).isEqualTo(Registers.CSTS_RDY);
        }
    }

    @Test
    void refusesPagesThatAreNotThere() throws Exception {
        try (Shadowed shadowed = new Shadowed()) {
            Host.Entry config = Host.Entry.of(Opcode.DOORBELL_BUFFER_CONFIG, 0);
            long there = shadowed.values.iova(0);
            for (long wrong : new long[] {0, there + 8, there - 4096, Long.MIN_VALUE, -4096}) {
                assertThat(shadowed.host.admin.status(config.prps(wrong, there)))
                        .as("values at 0x%x", wrong)
                        .isEqualTo(Status.INVALID_FIELD);
                assertThat(shadowed.host.admin.status(config.prps(there, wrong)))
                        .as("events at 0x%x", wrong)
                        .isEqualTo(Status.INVALID_FIELD);
            }
        }
    }

    @Test
    void goesOnIdleWhenTheirMemoryIsFreedAndStopsOnlyWithTheNextCommand() throws Exception {
        try (Shadowed shadowed = new Shadowed()) {
            assertThat(shadowed.configure()).isZero();
            Host.Ring ring = shadowed.host.createQueue(1, ENTRIES);
            shadowed.flush(ring, true);
            shadowed.take(ring);
            shadowed.host.settle();
            shadowed.values.close();
            shadowed.events.close();
            for (int i = 0; i < 10; i++) {
                shadowed.host.settle();
            }
            assertThat(shadowed.host.csts()).isEqualTo(Registers.CSTS_RDY);
            assertThat(shadowed.host.admin.status(Host.Entry.of(Opcode.IDENTIFY, 0)
                            .prps(shadowed.host.data.iova(0), 0)
                            .dwords(1, 0)))
                    .as("the admin queue has its doorbells")
                    .isZero();
            ring.ring();
            shadowed.host.settle();
            assertThat(shadowed.host.csts() & Registers.CSTS_CFS).isNotZero();
            shadowed.host.disable();
            assertThat(shadowed.host.csts()).isZero();
        }
    }

    @Test
    void stopsWithCfsWhenTheirMemoryIsFreed() throws Exception {
        try (Shadowed shadowed = new Shadowed()) {
            assertThat(shadowed.configure()).isZero();
            Host.Ring ring = shadowed.host.createQueue(1, ENTRIES);
            shadowed.values.close();
            ring.ring();
            shadowed.host.settle();
            assertThat(shadowed.host.csts() & Registers.CSTS_CFS).isNotZero();
        }
    }
}
