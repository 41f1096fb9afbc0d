package io.aisio.cli;

/** Who reads the output. */
enum Output {
    human,
    json
}
