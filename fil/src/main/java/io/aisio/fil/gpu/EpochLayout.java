package io.aisio.fil.gpu;

/**
 * Where the fields of what host and GPU share lie, in bytes: the structures of {@code aisio/epoch.cuh}, by their names there.
 */
final class EpochLayout {
    /** In place of a run's LBA: it is read as zeros. */
    static final long ZEROS = -1;

    /** Entries of a page of PRP entries. */
    static final int LIST = 512;

    /** By so many entries the second copy of them is shifted. */
    static final int SHIFTED = LIST / 2;

    /** Pages of 4096 bytes that a command has at most, so that the entries for them lie in one page. */
    static final int MOST_PAGES = LIST / 2 + 1;

    static final long FILE_SIZE = 0;
    static final long FILE_FIRST_RUN = 8;
    static final long FILE_RUNS = 12;
    static final long FILE_BYTES = 16;

    static final long RUN_LBA = 0;
    static final long RUN_OFFSET = 8;
    static final long RUN_LENGTH = 16;
    static final long RUN_FIRST_ITEM = 24;
    static final long RUN_BYTES = 32;

    static final long WANTED_AT = 0;
    static final long WANTED_ROW = 8;
    static final long WANTED_FIRST_ITEM = 12;
    static final long WANTED_BYTES = 16;

    static final long BATCH_SLOT = 0;
    static final long BATCH_FILES = 4;
    static final long BATCH_ITEMS = 8;
    static final long BATCH_SEQUENCE = 12;
    static final long BATCH_BYTES = 16;

    static final long FAILURE_LBA = 0;
    static final long FAILURE_LENGTH = 8;
    static final long FAILURE_STATUS = 12;
    static final long FAILURE_BYTES = 16;

    static final long CONTROL_POSTED = 0;
    static final long CONTROL_STOP = 4;
    static final long CONTROL_STOPPED = 8;
    static final long CONTROL_QUEUE = 12;
    static final long CONTROL_EVIDENCE = 16;
    static final long CONTROL_BYTES = 24;

    static final long STATE_BYTES = 16;

    /** Addresses come first, in this order. */
    static final long QUEUES = 0;

    static final long FILES = 8;
    static final long RUNS = 16;
    static final long PAGES = 24;
    static final long LISTS = 32;
    static final long MEMORY = 40;
    static final long CONTROL = 48;
    static final long POSTS = 56;
    static final long WANTS = 64;
    static final long DONE = 72;
    static final long FAILURES = 80;
    static final long STATE = 88;
    static final long BATCHES = 96;
    static final long WANTED = 104;
    static final long LEFT = 112;
    static final long FAILED = 120;
    static final long MARKS = 128;
    static final long QUEUE_COUNT = 136;
    static final long SLOTS = 140;
    static final long BATCH_FILE_COUNT = 144;
    static final long IO_BYTES = 148;
    static final long LBA_SHIFT = 152;
    static final long UNIT = 156;
    static final long SECOND = 160;
    static final long RETRIES = 164;
    static final long PARAMETERS_BYTES = 168;

    private EpochLayout() {}
}
