// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.nio.file.Path;

/** What the guest runs: where its init process, which is the agent, comes from. */
public sealed interface GuestRoot {

    /** This library's own agent, in an initrd that is made for the kernel. */
    record BuiltIn() implements GuestRoot {}

    /**
     * An initramfs with an agent as {@code /init} (Kata's key {@code initrd}).
     *
     * @param file an archive as the kernel takes it
     */
    record Initrd(Path file) implements GuestRoot {}

    /**
     * A disk image with an agent as {@code /sbin/init} (Kata's key {@code image}). The guest cannot write to it, so any
     * number of machines may use it at the same time.
     *
     * @param file ext4 or EROFS, in the first partition or without partitions; its size a multiple of 2 MiB for nvdimm
     * @param nvdimm whether the guest maps it as persistent memory, not as a virtio disk (the opposite of Kata's {@code
     *     disable_image_nvdimm})
     */
    record Image(Path file, boolean nvdimm) implements GuestRoot {}

    static GuestRoot builtIn() {
        return new BuiltIn();
    }

    static GuestRoot initrd(Path file) {
        return new Initrd(file);
    }

    /** An image on a virtio disk. */
    static GuestRoot image(Path file) {
        return new Image(file, false);
    }

    /** An image that the guest maps as persistent memory. */
    static GuestRoot nvdimm(Path file) {
        return new Image(file, true);
    }
}
