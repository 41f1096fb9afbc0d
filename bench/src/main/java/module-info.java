/** The engines of the benchmarks. */
module io.aisio.bench {
    requires static org.jspecify;
    requires transitive io.aisio.cuda;
    requires transitive io.aisio.fil;
    requires transitive io.aisio.homi;
    requires transitive io.aisio.linux;
    requires HdrHistogram;
    requires java.management;
    requires jdk.management;
    requires jdk.unsupported;
    requires org.snakeyaml.engine;
    requires tools.jackson.databind;

    exports io.aisio.bench;
    exports io.aisio.bench.report;
    exports io.aisio.bench.workflow;

    // Jackson reads and writes the records of a run.
    opens io.aisio.bench.workflow to
            tools.jackson.databind;
}
