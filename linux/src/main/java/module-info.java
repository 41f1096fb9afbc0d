/** The system calls that AiSIO uses, bound once. */
module io.aisio.linux {
    requires static org.jspecify;

    exports io.aisio.linux;
    exports io.aisio.linux.block;
}
