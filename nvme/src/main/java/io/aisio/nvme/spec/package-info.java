/**
 * The NVMe specifications as Java: registers, queue entries, opcodes, status codes and the structures that Identify and
 * the log pages return, each named once with its offset.
 *
 * <p>Section numbers are those of the NVM Express Base Specification, revision 1.4. All structures are little-endian.
 * A structure's class is a set of named offsets with typed accessors over a {@link java.lang.foreign.MemorySegment};
 * the driver reads with them what the software controller writes with them, and tests compare the offsets with an
 * independent header.
 */
@NullMarked
package io.aisio.nvme.spec;

import org.jspecify.annotations.NullMarked;
