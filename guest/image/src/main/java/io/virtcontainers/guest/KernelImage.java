// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Turns a kernel file into the uncompressed ELF vmlinux that QEMU boots directly (PVH), which saves a third of the boot.
 * Takes a bzImage, or a vmlinux as it is.
 */
final class KernelImage {
    /** No distribution's vmlinux comes near; without a limit a small file could fill the disk. */
    static final long MAX_VMLINUX = 256L << 20;

    private static final int XEN_ELFNOTE_PHYS32_ENTRY = 18;
    private static final Pattern RELEASE = Pattern.compile("[0-9][A-Za-z0-9._+~-]{0,100}");
    private static final Pattern BANNER = Pattern.compile("Linux version (" + RELEASE.pattern() + ") ");
    private static final int BUFFER = 1 << 17;

    private KernelImage() {}

    /**
     * The kernel's release, for example {@code 6.1.0-56-cloud-amd64}.
     *
     * @throws MalformedException if the file is no kernel
     */
    static String release(Path kernel, Deadline deadline) throws IOException {
        try (FileChannel in = FileChannel.open(kernel, StandardOpenOption.READ)) {
            ByteSource source = ByteSource.of(in);
            if (BzImage.isBzImage(source)) {
                return BzImage.read(source).release();
            }
            requireElf(source);
            return releaseInBanner(in, deadline);
        }
    }

    /**
     * Writes the vmlinux.
     *
     * @throws MalformedException if the kernel is none, is damaged, or has no PVH entry
     */
    static void unpack(Path kernel, Path vmlinux, Deadline deadline) throws IOException {
        try (FileChannel in = FileChannel.open(kernel, StandardOpenOption.READ)) {
            ByteSource source = ByteSource.of(in);
            if (BzImage.isBzImage(source)) {
                BzImage image = BzImage.read(source);
                try (InputStream packed = new SliceInputStream(in, image.payloadOffset(), image.payloadLength());
                        InputStream unpacked = KernelPayload.open(packed, image.payloadLength())) {
                    copy(unpacked, vmlinux, deadline);
                }
            } else {
                requireElf(source);
                copy(new SliceInputStream(in, 0, in.size()), vmlinux, deadline);
            }
        }
        requirePvh(vmlinux);
    }

    private static void requireElf(ByteSource source) throws IOException {
        if (!ElfFile.isElf(source)) {
            throw new MalformedException("neither a bzImage nor an ELF vmlinux");
        }
    }

    private static void copy(InputStream in, Path vmlinux, Deadline deadline) throws IOException {
        byte[] buffer = new byte[BUFFER];
        long total = 0;
        try (OutputStream out = Files.newOutputStream(vmlinux)) {
            for (int n = read(in, buffer); n >= 0; n = read(in, buffer)) {
                Waits.check(deadline, "the unpacking of the kernel");
                total += n;
                if (total > MAX_VMLINUX) {
                    throw new MalformedException("more than " + (MAX_VMLINUX >> 20) + " MiB when unpacked");
                }
                out.write(buffer, 0, n);
            }
        }
    }

    /** What a decoder says about its input is not an error of the disk. */
    private static int read(InputStream in, byte[] buffer) throws IOException {
        try {
            return in.read(buffer);
        } catch (ClosedByInterruptException | MalformedException e) {
            throw e;
        } catch (IOException | RuntimeException e) {
            throw new MalformedException("damaged: " + e, e);
        }
    }

    private static void requirePvh(Path vmlinux) throws IOException {
        try (FileChannel file = FileChannel.open(vmlinux, StandardOpenOption.READ)) {
            ByteSource source = ByteSource.of(file);
            if (!ElfFile.isElf(source)) {
                throw new MalformedException("what is packed in it is not an ELF vmlinux");
            }
            ElfFile elf = ElfFile.read(source);
            if (elf.machine() != ElfFile.MACHINE_X86_64) {
                throw new MalformedException("not a kernel for x86_64 (ELF machine " + elf.machine() + ")");
            }
            if (!elf.hasNote("Xen", XEN_ELFNOTE_PHYS32_ENTRY)) {
                throw new MalformedException("a PVH boot is not possible: the kernel has no PVH entry"
                        + " (ELF note Xen 18); use one that is built with CONFIG_PVH=y");
            }
        }
    }

    private static String releaseInBanner(FileChannel file, Deadline deadline) throws IOException {
        int overlap = 256;
        byte[] window = new byte[BUFFER + overlap];
        try (InputStream in = new SliceInputStream(file, 0, Math.min(file.size(), MAX_VMLINUX))) {
            int kept = 0;
            for (int n = in.readNBytes(window, 0, BUFFER); n > 0; n = in.readNBytes(window, kept, BUFFER)) {
                Waits.check(deadline, "the search for the kernel's version");
                int length = kept + n;
                Matcher banner = BANNER.matcher(new String(window, 0, length, StandardCharsets.ISO_8859_1));
                if (banner.find()) {
                    return checkRelease(banner.group(1));
                }
                kept = Math.min(overlap, length);
                System.arraycopy(window, length - kept, window, 0, kept);
            }
        }
        throw new MalformedException("it does not contain its version (\"Linux version ...\")");
    }

    /** The release becomes part of paths. */
    static String checkRelease(String release) throws MalformedException {
        if (!RELEASE.matcher(release).matches()) {
            throw new MalformedException("no kernel release in its header, but \"" + release + "\"");
        }
        return release;
    }
}
