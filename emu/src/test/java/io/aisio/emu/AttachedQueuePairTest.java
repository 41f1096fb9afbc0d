package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.linux.Mapping;
import io.aisio.nvme.Command;
import io.aisio.nvme.Completion;
import io.aisio.nvme.ControllerEvent;
import io.aisio.nvme.LentQueuePair;
import io.aisio.nvme.Namespace;
import io.aisio.nvme.NvmeController;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.QueueEpoch;
import io.aisio.nvme.QueueHost;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.QueueSource;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import io.aisio.upcie.DmaDomain;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.DoorbellPages;
import io.aisio.upcie.SharedMemory;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Capabilities;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import io.aisio.xnvme.spi.LeasedDevice;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Queue pairs that are driven through files and a {@link QueueHost}, as another process drives them: here both sides are in
 * one, and a call stands for a message.
 */
@Timeout(60)
class AttachedQueuePairTest {
    private static final int DEPTH = 16;
    private static final int PAGE = Mapping.PAGE_SIZE;
    private static final Duration SHORT = Duration.ofMillis(200);

    /** The side that has the device: tells its users of what happened to the controller. */
    private static final class Owner implements AutoCloseable {
        final NvmeDevice device;
        final List<User> users = new CopyOnWriteArrayList<>();

        Owner(String name) throws IOException {
            device = (NvmeDevice) Device.open(name);
            device.controller().onEvent(event -> {
                if (event instanceof ControllerEvent.WasReset || event instanceof ControllerEvent.Failed) {
                    users.forEach(User::lost);
                }
            });
        }

        Device lease(boolean readOnly) throws IOException {
            User user = new User(this, readOnly, Duration.ofSeconds(10));
            return LeasedDevice.over(user, 1, "leased:" + users.size(), "queue pairs of another's controller");
        }

        User user(Duration timeout) throws IOException {
            return new User(this, false, timeout);
        }

        @Override
        public void close() throws IOException {
            device.close();
        }
    }

    /** What one user maps of a file, with the addresses that he was told. */
    private record Mapped(Mapping mapping, SharedMemory shared) implements DmaMemory {
        static Mapped of(SharedMemory shared) throws IOException {
            return new Mapped(Mapping.of(shared.file(), shared.size()), shared);
        }

        @Override
        public MemorySegment segment() {
            return mapping.segment();
        }

        @Override
        public long iova(long offset) {
            return shared.iova(offset);
        }

        @Override
        public void close() {
            mapping.close();
            shared.close();
        }
    }

    /** A lease. */
    private static final class User implements QueueSource {
        private final Owner owner;
        private final NvmeController controller;
        private final DmaDomain domain;
        private final boolean readOnly;
        private final Duration timeout;
        final List<Link> links = new CopyOnWriteArrayList<>();

        User(Owner owner, boolean readOnly, Duration timeout) throws IOException {
            this.owner = owner;
            this.readOnly = readOnly;
            this.timeout = timeout;
            controller = owner.device.controller();
            domain = owner.device.openDomain(readOnly, 1);
            owner.users.add(this);
        }

        void lost() {
            links.forEach(link -> link.epoch.moveOn());
        }

        @Override
        public String name() {
            return "leased";
        }

        @Override
        public Namespace namespace(int nsid) throws NvmeException {
            Namespace n = controller.namespace(nsid);
            return new Namespace(
                    n.nsid(),
                    n.lbaBytes(),
                    n.lbaCount(),
                    n.metadataBytes(),
                    n.extendedLba(),
                    n.writeProtected() || readOnly,
                    n.commandSet(),
                    n.protectionType(),
                    n.protectionFirst());
        }

        @Override
        public int maxTransferBytes() {
            return controller.maxTransferBytes();
        }

        @Override
        public int maxDepth() {
            return controller.maxDepth();
        }

        @Override
        public int maxQueuePairs() {
            return 4;
        }

        @Override
        public DmaMemory allocate(long bytes) throws IOException {
            return Mapped.of(domain.allocate(bytes));
        }

        @Override
        public QueuePair createQueuePair(int depth) throws IOException {
            return new Link(this, depth).pair;
        }

        @Override
        public Completion execute(Command command, MemorySegment data) throws IOException {
            return controller.execute(command, data);
        }

        @Override
        public boolean mayStillAccessMemory() {
            return controller.mayStillAccessMemory();
        }

        @Override
        public void close() {
            owner.users.remove(this);
            domain.close();
        }
    }

    /** One queue pair's host, with a count of what it was asked for. */
    private static final class Link implements QueueHost {
        private final User user;
        private final LentQueuePair lent;
        private final Mapping doorbells;
        final QueueEpoch epoch = new QueueEpoch();
        final QueuePair pair;
        private volatile @Nullable NvmeException told;
        int recreated;
        int aborted;
        int stopped;
        int reset;

        Link(User user, int depth) throws IOException {
            this.user = user;
            SharedMemory rings = user.domain.allocate(QueuePair.bytesOfRings(depth));
            lent = user.controller.lendQueuePair(rings, depth);
            DoorbellPages pages = user.controller.doorbellPages(lent);
            doorbells = Mapping.of(pages.file(), pages.offset(), pages.bytes(), true);
            pair = QueuePair.attach(
                    this,
                    epoch.get(),
                    lent.qid(),
                    depth,
                    Mapped.of(rings),
                    doorbells.segment(),
                    pages.tail(),
                    pages.head(),
                    user.timeout);
            user.links.add(this);
        }

        @Override
        public String name() {
            return user.name();
        }

        @Override
        public QueueEpoch epoch() {
            return epoch;
        }

        @Override
        public DmaMemory allocate(long bytes) throws IOException {
            return user.allocate(bytes);
        }

        @Override
        public boolean takesSgl(int bytes) {
            return false;
        }

        @Override
        public int recreate() throws NvmeException {
            recreated++;
            int before = epoch.get();
            lent.recreate();
            return before;
        }

        @Override
        public void stop(int of) throws NvmeException {
            stopped++;
            told = new NvmeException("stopped");
            lent.stop();
        }

        @Override
        public @Nullable Abort abort(int cid) {
            aborted++;
            return lent.abort(cid);
        }

        @Override
        public void look(int of) {
            lent.look();
        }

        @Override
        public void reset(int of, NvmeException why) {
            reset++;
            if (epoch.get() == of) {
                try {
                    lent.stop();
                } catch (NvmeException e) {
                    why.addSuppressed(e);
                }
                told = why;
                epoch.moveOn();
            }
        }

        @Override
        public @Nullable NvmeException failure() {
            return user.controller.failure();
        }

        @Override
        public @Nullable NvmeException loss() {
            NvmeException failure = failure();
            return failure != null ? failure : told != null ? told : user.controller.lastReset();
        }

        @Override
        public Duration retryDelay(int crd) {
            return Duration.ZERO;
        }

        @Override
        public boolean mayStillAccessMemory() {
            return user.mayStillAccessMemory();
        }

        @Override
        public void close(int of) throws IOException {
            user.links.remove(this);
            lent.close();
            doorbells.close();
        }
    }

    private static void fill(Buffer buffer, long seed) {
        byte[] bytes = new byte[(int) buffer.size()];
        new Random(seed).nextBytes(bytes);
        MemorySegment.copy(bytes, 0, buffer.segment(), ValueLayout.JAVA_BYTE, 0, bytes.length);
    }

    @ParameterizedTest
    @ValueSource(strings = {"emu:8MiB?shared", "emu:8MiB?shared&sgl&lba=4096", "emu:8MiB?shared&latency=20us"})
    void twoUsersMoveDataBesideTheOwner(String name) throws Exception {
        try (Owner owner = new Owner(name);
                Device first = owner.lease(false);
                Device second = owner.lease(false);
                Buffer ofFirst = first.allocate(1 << 20);
                Buffer ofSecond = second.allocate(1 << 20);
                Buffer own = owner.device.allocate(1 << 20)) {
            assertThat(first.geometry().lbaCount())
                    .isEqualTo(owner.device.geometry().lbaCount());
            fill(ofFirst, 1);
            fill(ofSecond, 2);
            fill(own, 3);
            long mib = (1 << 20) / first.geometry().lbaBytes();
            // By lists of pages, from memory of each user's own.
            first.write(0, ofFirst);
            second.write(mib, ofSecond);
            owner.device.write(2 * mib, own);
            Buffer[] written = {ofFirst, ofSecond, own};
            try (Buffer seen = second.allocate(1 << 20)) {
                for (int i = 0; i < 3; i++) {
                    second.read(i * mib, seen);
                    assertThat(seen.segment().mismatch(written[i].segment()))
                            .as("what user %d wrote", i)
                            .isEqualTo(-1);
                }
            }
            first.flush();
            try (Queue queue = first.openQueue(DEPTH);
                    Queue other = second.openQueue(DEPTH)) {
                keepReading(queue, ofFirst, mib);
                keepReading(other, ofSecond, mib);
            }
        }
    }

    /** More commands than the rings have entries. */
    private static void keepReading(Queue queue, Buffer buffer, long mib) throws IOException {
        int[] completed = new int[DEPTH];
        int[] slots = new int[DEPTH];
        long[] lbas = new long[DEPTH];
        for (int slot = 0; slot < DEPTH; slot++) {
            slots[slot] = slot;
            lbas[slot] = slot % mib;
            queue.bindRead(slot, buffer, (long) slot * PAGE, PAGE);
        }
        for (int round = 0; round < 50; round++) {
            queue.submit(slots, lbas, DEPTH);
            for (int left = DEPTH; left > 0; ) {
                int n = queue.await(completed);
                for (int i = 0; i < n; i++) {
                    assertThat(completed[i]).isNotNegative();
                }
                left -= n;
            }
        }
    }

    @Test
    void aReadOnlyLeaseSaysSoAndIsHeldToIt() throws Exception {
        try (Owner owner = new Owner("emu:8MiB?shared");
                Device reader = owner.lease(true);
                Buffer buffer = reader.allocate(PAGE)) {
            assertThat(reader.capabilities().has(Capabilities.Trait.WRITES)).isFalse();
            reader.read(0, buffer);
            assertThatThrownBy(() -> reader.write(0, buffer))
                    .isInstanceOfSatisfying(
                            NvmeException.class,
                            e -> assertThat(e.status().code()).isEqualTo(Status.NAMESPACE_WRITE_PROTECTED));
        }
    }

    /** Takes what is in flight; the failures. */
    private static List<NvmeException> drain(QueuePair pair) {
        List<NvmeException> failures = new ArrayList<>();
        int[] completed = new int[DEPTH];
        long end = System.nanoTime() + Host.GIVE_UP_NANOS;
        while (pair.outstanding() > 0) {
            assertThat(System.nanoTime()).as("the deadline").isLessThan(end);
            int n = pair.poll(completed);
            for (int i = 0; i < n; i++) {
                if (completed[i] < 0) {
                    failures.add(pair.failure(~completed[i]));
                }
            }
            Thread.yield();
        }
        return failures;
    }

    @Test
    void aResetIsSurvivedByEveryUser() throws Exception {
        try (Owner owner = new Owner("emu:8MiB?shared&faults=stall@read:1")) {
            User user = owner.user(Duration.ofSeconds(10));
            Link link = new Link(user, DEPTH);
            QueuePair pair = link.pair;
            DmaMemory data = user.allocate(DEPTH * PAGE);
            int[] slots = {0, 1};
            long[] lbas = {0, 8};
            for (int slot : slots) {
                pair.bind(slot, Command.overBlocks(Opcode.READ, 1, 0, 8), data, (long) slot * PAGE, PAGE);
            }
            // The first is never completed; that the second is tells that it has been fetched.
            pair.bind(2, Command.of(Opcode.FLUSH, 1, 0));
            pair.submit(new int[] {0, 2}, lbas, 2);
            int[] completed = new int[1];
            long until = System.nanoTime() + Host.GIVE_UP_NANOS;
            while (pair.poll(completed) == 0) {
                assertThat(System.nanoTime()).as("the deadline").isLessThan(until);
                Thread.onSpinWait();
            }
            assertThat(completed[0]).isEqualTo(2);
            owner.device.controller().reset();
            List<NvmeException> failures = drain(pair);
            assertThat(failures).hasSize(1);
            assertThat(failures.getFirst().retryable()).isTrue();
            assertThat(failures.getFirst()).hasMessageContaining("a reset was asked for");
            for (int round = 1; round <= 3; round++) {
                pair.submit(slots, lbas, 2);
                assertThat(drain(pair)).isEmpty();
                assertThat(link.recreated).isEqualTo(round);
                owner.device.controller().reset();
                long end = System.nanoTime() + Host.GIVE_UP_NANOS;
                for (int before = round; link.epoch.get() <= before; ) {
                    assertThat(System.nanoTime()).as("the deadline").isLessThan(end);
                    Thread.onSpinWait();
                }
            }
            assertThat(link.reset).isZero();
            pair.close();
            data.close();
            user.close();
        }
    }

    @Test
    void anOverdueCommandIsAbortedThroughTheHost() throws Exception {
        try (Owner owner = new Owner("emu:8MiB?shared&faults=stall@read:1")) {
            User user = owner.user(SHORT);
            Link link = new Link(user, DEPTH);
            DmaMemory data = user.allocate(PAGE);
            link.pair.bind(0, Command.overBlocks(Opcode.READ, 1, 0, 8), data, 0, PAGE);
            link.pair.submit(new int[] {0}, new long[] {0}, 1);
            List<NvmeException> failures = drain(link.pair);
            assertThat(failures).hasSize(1);
            assertThat(failures.getFirst().status().code()).isEqualTo(Status.ABORT_REQUESTED);
            assertThat(link.aborted).isEqualTo(1);
            assertThat(link.stopped).isZero();
            link.pair.submit(new int[] {0}, new long[] {0}, 1);
            assertThat(drain(link.pair)).isEmpty();
            assertThat(owner.device.controller().resets()).isZero();
            link.pair.close();
            data.close();
            user.close();
        }
    }

    @Test
    void queuesAreStoppedWhereAnAbortDoesNotHelp() throws Exception {
        try (Owner owner = new Owner("emu:8MiB?shared&faults=stall@read:1,abortrefused@abort:1");
                Device other = owner.lease(false);
                Buffer buffer = other.allocate(PAGE)) {
            User user = owner.user(SHORT);
            Link link = new Link(user, DEPTH);
            DmaMemory data = user.allocate(PAGE);
            link.pair.bind(0, Command.overBlocks(Opcode.READ, 1, 0, 8), data, 0, PAGE);
            link.pair.submit(new int[] {0}, new long[] {0}, 1);
            List<NvmeException> failures = drain(link.pair);
            assertThat(failures).hasSize(1);
            assertThat(failures.getFirst().retryable()).isTrue();
            assertThat(link.stopped).isEqualTo(1);
            link.pair.submit(new int[] {0}, new long[] {0}, 1);
            assertThat(drain(link.pair)).isEmpty();
            assertThat(link.recreated).isEqualTo(1);
            other.write(0, buffer);
            assertThat(owner.device.controller().resets())
                    .as("nobody else suffers")
                    .isZero();
            link.pair.close();
            data.close();
            user.close();
        }
    }

    @Test
    void aCompletionThatBreaksTheRulesEndsThatPairsQueuesAlone() throws Exception {
        try (Owner owner = new Owner("emu:8MiB?shared&faults=wrongcid@read:1")) {
            User user = owner.user(Duration.ofSeconds(10));
            Link link = new Link(user, DEPTH);
            DmaMemory data = user.allocate(PAGE);
            link.pair.bind(0, Command.overBlocks(Opcode.READ, 1, 0, 8), data, 0, PAGE);
            link.pair.submit(new int[] {0}, new long[] {0}, 1);
            List<NvmeException> failures = drain(link.pair);
            assertThat(failures).hasSize(1);
            assertThat(failures.getFirst().retryable()).isTrue();
            assertThat(failures.getFirst()).hasMessageContaining("the controller completed CID");
            assertThat(link.reset).isEqualTo(1);
            assertThat(owner.device.controller().resets()).isZero();
            link.pair.submit(new int[] {0}, new long[] {0}, 1);
            assertThat(drain(link.pair)).isEmpty();
            link.pair.close();
            data.close();
            user.close();
        }
    }

    @Test
    void aControllerThatIsGoneIsToldToItsUsers() throws Exception {
        try (Owner owner = new Owner("emu:8MiB?shared&faults=vanish@read:1")) {
            User user = owner.user(Duration.ofSeconds(10));
            Link link = new Link(user, DEPTH);
            DmaMemory data = user.allocate(PAGE);
            link.pair.bind(0, Command.overBlocks(Opcode.READ, 1, 0, 8), data, 0, PAGE);
            link.pair.submit(new int[] {0}, new long[] {0}, 1);
            List<NvmeException> failures = drain(link.pair);
            assertThat(failures).hasSize(1);
            assertThat(failures.getFirst().retryable()).isFalse();
            assertThatThrownBy(() -> link.pair.submit(new int[] {0}, new long[] {0}, 1))
                    .isInstanceOf(NvmeException.class)
                    .hasMessageContaining("gone");
            link.pair.close();
            data.close();
            user.close();
        }
    }

    @Test
    void whatCannotBeDrivenIsRefused() throws Exception {
        try (Owner owner = new Owner("emu:8MiB?shared")) {
            User user = owner.user(SHORT);
            Link link = new Link(user, DEPTH);
            DmaMemory rings = user.allocate(QueuePair.bytesOfRings(DEPTH));
            MemorySegment doorbells = link.doorbells.segment();
            assertThatThrownBy(() -> QueuePair.attach(link, 0, 0, DEPTH, rings, doorbells, 0, PAGE, SHORT))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> QueuePair.attach(link, 0, 1, 1 << 15, rings, doorbells, 0, PAGE, SHORT))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> QueuePair.attach(link, 0, 1, 200, rings, doorbells, 0, PAGE, SHORT))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("rings");
            for (long at : new long[] {-4, 2, 0, 2 * PAGE - 2, 2 * PAGE}) {
                assertThatThrownBy(() -> QueuePair.attach(link, 0, 1, DEPTH, rings, doorbells, 0, at, SHORT))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContaining("doorbells");
            }
            assertThatThrownBy(() -> QueuePair.attach(link, 0, 1, DEPTH, rings, doorbells, 0, PAGE, Duration.ZERO))
                    .isInstanceOf(IllegalArgumentException.class);
            link.pair.close();
            rings.close();
            user.close();
        }
    }
}
