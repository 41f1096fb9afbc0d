/**
 * A PCI function as a driver needs it, however it was got.
 *
 * <pre>
 *    PciFunction ──┬── Bar         registers: 32 and 64-bit loads and stores, never merged, never split
 *                  ├── DmaMemory   memory that both sides see: the CPU by segment, the device by IOVA
 *                  └── Interrupt   a vector to wait for, where there are any
 * </pre>
 *
 * A driver written against these cannot tell a card in a slot from a controller in software.
 */
@NullMarked
package io.aisio.upcie;

import org.jspecify.annotations.NullMarked;
