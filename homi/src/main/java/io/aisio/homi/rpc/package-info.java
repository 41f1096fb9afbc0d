/**
 * What daemon and clients say to each other: JSON-RPC 2.0, an object a line, with descriptors beside it. The messages are
 * in {@code docs/homi-protocol.schema.json}.
 */
@NullMarked
package io.aisio.homi.rpc;

import org.jspecify.annotations.NullMarked;
