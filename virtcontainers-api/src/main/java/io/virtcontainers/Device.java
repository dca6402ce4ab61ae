// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import io.virtcontainers.spi.Ids;
import java.nio.file.Path;

/** A device for the virtual machine of a sandbox. */
public sealed interface Device {
    /** Unique in the sandbox, also among the ids of its containers. */
    String id();

    /**
     * A disk (virtio-blk).
     *
     * @param image a raw image or a block device of the host
     * @param readOnly whether the guest may only read it
     */
    record Block(String id, Path image, boolean readOnly) implements Device {
        public Block {
            Ids.require("device id", id);
        }
    }
}
