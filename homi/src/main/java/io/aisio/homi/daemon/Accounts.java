package io.aisio.homi.daemon;

import io.aisio.homi.rpc.RpcException;
import java.util.HashMap;
import java.util.Map;

/** Who has how much, of all users and clients: nothing is had that was not taken here. Any thread may call it. */
final class Accounts {
    /** Pieces of memory that a client may have: each costs the daemon a mapping and a descriptor. */
    static final int MOST_PIECES = 512;
    /** The same of all clients of a user, and of all users: a process has no end of neither. */
    static final int MOST_PIECES_OF_USER = 4 * MOST_PIECES;

    static final int MOST_PIECES_OF_ALL = 16 * MOST_PIECES;

    private final Configuration configuration;
    private final Map<Integer, Account> users = new HashMap<>();
    private int connections;
    private int pieces;

    /** What somebody has. */
    static final class Account {
        private int queues;
        private int pieces;
        private long memoryBytes;
        private int connections;

        private boolean isEmpty() {
            return queues == 0 && pieces == 0 && memoryBytes == 0 && connections == 0;
        }
    }

    /** A client, and the user that it is of. */
    final class Client {
        private final Configuration.User user;
        private final Account own = new Account();

        private Client(Configuration.User user) {
            this.user = user;
        }

        Configuration.User user() {
            return user;
        }

        int queues() {
            synchronized (Accounts.this) {
                return own.queues;
            }
        }

        long memoryBytes() {
            synchronized (Accounts.this) {
                return own.memoryBytes;
            }
        }

        /** The most commands in flight in a queue pair. */
        int depth() {
            return Math.min(configuration.client().depth(), user.quota().depth());
        }

        /** How many queue pairs it could have, if nobody of its user had any. */
        int mostQueues() {
            return Math.min(configuration.client().queues(), user.quota().queues());
        }

        /** Whether it could have another queue pair. */
        boolean mayTakeQueue() {
            synchronized (Accounts.this) {
                return own.queues < configuration.client().queues()
                        && account(user).queues < user.quota().queues();
            }
        }

        /** Takes so many queue pairs, or none. */
        void takeQueues(int pairs) throws RpcException {
            synchronized (Accounts.this) {
                Account all = account(user);
                require("queue pairs", own.queues, pairs, configuration.client().queues(), "this client");
                require("queue pairs", all.queues, pairs, user.quota().queues(), "all clients of " + user.name());
                own.queues += pairs;
                all.queues += pairs;
            }
        }

        void giveQueuesBack(int pairs) {
            synchronized (Accounts.this) {
                own.queues -= pairs;
                account(user).queues -= pairs;
            }
        }

        void takeMemory(long bytes) throws RpcException {
            synchronized (Accounts.this) {
                require("pieces of memory", own.pieces, 1, MOST_PIECES, "this client");
                require(
                        "pieces of memory",
                        account(user).pieces,
                        1,
                        MOST_PIECES_OF_USER,
                        "all clients of " + user.name());
                require("pieces of memory", pieces, 1, MOST_PIECES_OF_ALL, "all users");
                takeRest(bytes);
                own.pieces++;
                account(user).pieces++;
                pieces++;
            }
        }

        /** More of a piece that has been taken. */
        void takeRest(long bytes) throws RpcException {
            synchronized (Accounts.this) {
                Account all = account(user);
                require(
                        "bytes of memory",
                        own.memoryBytes,
                        bytes,
                        configuration.client().memoryBytes(),
                        "this client");
                require(
                        "bytes of memory",
                        all.memoryBytes,
                        bytes,
                        user.quota().memoryBytes(),
                        "all clients of " + user.name());
                own.memoryBytes += bytes;
                all.memoryBytes += bytes;
            }
        }

        void giveMemoryBack(long bytes) {
            synchronized (Accounts.this) {
                Account all = account(user);
                pieces--;
                own.pieces--;
                own.memoryBytes -= bytes;
                all.pieces--;
                all.memoryBytes -= bytes;
            }
        }

        void leave() {
            synchronized (Accounts.this) {
                connections--;
                account(user).connections--;
                users.values().removeIf(Account::isEmpty);
            }
        }
    }

    Accounts(Configuration configuration) {
        this.configuration = configuration;
    }

    /** Admits a client, as far as there is room. */
    synchronized Client admit(Configuration.User user) throws RpcException {
        require("connections", connections, 1, configuration.connections(), "all users");
        require(
                "connections",
                account(user).connections,
                1,
                user.quota().connections(),
                "all clients of " + user.name());
        connections++;
        account(user).connections++;
        return new Client(user);
    }

    private Account account(Configuration.User user) {
        return users.computeIfAbsent(user.uid(), uid -> new Account());
    }

    private static void require(String what, long used, long asked, long most, String whose) throws RpcException {
        if (asked > most - used) {
            throw new RpcException(
                    RpcException.QUOTA,
                    "%d more %s: %s may have %d and has %d".formatted(asked, what, whose, most, used),
                    used == 0
                            ? "ask for less, or have the quota raised in homid's configuration"
                            : "give some back first");
        }
    }

    /** Whether nobody has anything. */
    synchronized boolean isEmpty() {
        return connections == 0 && users.values().stream().allMatch(Account::isEmpty);
    }
}
