/**
 * A GPU as Java sees it: its memory, kernels that run there, and NVIDIA's libraries that come with it.
 *
 * <pre>
 *   Gpu ──┬─ GpuMemory      on the GPU: a PeerMemory, which other devices may reach
 *         ├─ PinnedMemory   the host's, which the GPU reaches
 *         ├─ GpuStream      launches and copies, done in order
 *         ├─ GpuKernels     the project's kernels ─┐
 *         ├─ GpuModule      a user's own ──────────┴─ Nvrtc: from CUDA C++ to code for this very GPU, kept in a cache
 *         └─ Resident       while a kernel runs without end: what would wait for it is put off
 *   CuFile                  reads files into GpuMemory, as NVIDIA's library does it
 * </pre>
 *
 * One class binds each library ({@code CudaDriver}, {@code Nvrtc}, {@code CuFileLibrary}), with
 * {@link io.aisio.linux.SharedLibrary}, when it is first needed: without a GPU everything here loads, and
 * {@link io.aisio.cuda.Cuda#missing()} tells in a sentence what is not there. A call that fails throws
 * {@link io.aisio.cuda.CudaException}, with the call, the error by CUDA's name and what to do.
 */
@NullMarked
package io.aisio.cuda;

import org.jspecify.annotations.NullMarked;
