/** The engines of the benchmarks. */
module io.aisio.bench {
    requires static org.jspecify;
    requires transitive io.aisio.fil;
}
