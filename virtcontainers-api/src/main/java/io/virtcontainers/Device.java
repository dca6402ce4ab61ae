// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import io.virtcontainers.spi.Ids;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;

/** A device for the virtual machine of a sandbox. */
public sealed interface Device {
    /** Unique in the sandbox, also among the ids of its containers. */
    String id();

    /**
     * A disk, of the kind of {@link BlockConfig#driver}. Its address is of virtio-blk the PCI slots of the bridge and of the
     * disk, {@code 02/1e}; of virtio-scsi the target and the unit, {@code 7:0}.
     *
     * @param image a disk image, or a block device of the host
     * @param readOnly whether the guest may only read it
     * @param format of the image
     */
    record Block(String id, Path image, boolean readOnly, DiskFormat format) implements Device {
        public Block {
            Ids.require("device id", id);
        }

        /** A raw one. */
        public Block(String id, Path image, boolean readOnly) {
            this(id, image, readOnly, DiskFormat.RAW);
        }
    }

    /**
     * A directory or file of the host, live in the guest: needs {@link SharedFs#VIRTIO_FS} or {@link
     * SharedFs#VIRTIO_9P}. Its address is its name in the directory that the machine shares. Symbolic links in the source are followed when it is added, never
     * later; those that the guest makes never leave the source.
     *
     * @param source an existing directory or regular file
     * @param readOnly whether the guest may only read it; what the host has mounted below the source is then not seen
     */
    record Shared(String id, Path source, boolean readOnly) implements Device {
        public Shared {
            Ids.require("device id", id);
        }
    }

    /**
     * A file or block device of the host as persistent memory (an nvdimm), which the guest sees as {@code /dev/pmem0} and so on,
     * and can map without a copy in its own memory. Its address is the first physical one that it has in the guest, {@code
     * 0x140000000}. It cannot be unplugged: it belongs to the machine until that ends, whatever becomes of the container that it
     * came with; who asks for the same file again gets the one that is there, and {@link Sandbox#removeDevice} leaves it. What
     * the guest writes is in the file at once. Needs {@link GuestMemoryConfig#persistent}.
     *
     * @param image of a size that is a multiple of 2 MiB
     * @param readOnly whether the guest may only read it; the same for all that ask for this file
     */
    record Persistent(String id, Path image, boolean readOnly) implements Device {
        public Persistent {
            Ids.require("device id", id);
        }
    }

    /**
     * A disk that another program of the host serves (vhost-user-blk), by its socket, on which it listens already. Its
     * address is that of a virtio-blk disk. The program reads and writes the guest's memory: needs {@link
     * SharedFs#VIRTIO_FS}, huge pages or memory in a file, which are shared with other programs.
     */
    record VhostUserBlock(String id, Path socket) implements Device {
        public VhostUserBlock {
            Ids.require("device id", id);
        }
    }

    /**
     * A PCI device of the host (VFIO), which the caller has bound to the driver {@code vfio-pci}. Its address is that of a
     * virtio-blk disk, the PCI slots.
     *
     * @param hostAddress for example {@code 0000:01:00.0}
     */
    record Vfio(String id, String hostAddress) implements Device {
        private static final Pattern ADDRESS = Pattern.compile("[0-9a-f]{4}:[0-9a-f]{2}:[0-1][0-9a-f]\\.[0-7]");

        public Vfio {
            Ids.require("device id", id);
            if (!ADDRESS.matcher(hostAddress).matches()) {
                throw new InvalidConfigException(
                        "PCI address", '"' + hostAddress + '"', "must be of the form 0000:01:00.0");
            }
        }
    }

    /**
     * A byte stream between a program in the guest, which opens the address, and one on the host, which listens on the
     * socket already (virtio-serial). Needs the agent's channel {@link AgentChannel#VIRTIO_SERIAL}, which {@link
     * AgentChannel#AUTO} may not be; there are two of them at most.
     *
     * @param socket a Unix socket; if its listener ends, QEMU connects again every second
     */
    record SerialPort(String id, Path socket) implements Device {
        public SerialPort {
            Ids.require("device id", id);
        }
    }

    /**
     * A card with a user network of its own ({@link NetworkConfig.User}), 10.0.N.15 in a network that no other interface of
     * the guest has; it gets the default route if there is none. It reaches what the hypervisor's process does: in a sandbox
     * with a network namespace, that namespace. Names are resolved by 10.0.N.3, which a container that
     * shall use it must say in its {@code /etc/resolv.conf}. Its address is the interface's name.
     *
     * @param forwards ports of the host that lead to ports of the guest
     */
    record UserNetwork(String id, List<NetworkConfig.PortForward> forwards) implements Device {
        public UserNetwork {
            Ids.require("device id", id);
            forwards = List.copyOf(forwards);
        }
    }

    /**
     * A link that came into the sandbox's network namespace after its start: it becomes a card as the others did ({@link
     * NetworkConfig.Namespace}), with its addresses; the routes of the namespace become those of the
     * guest. Its address is the interface's name.
     *
     * @param name the link's name in the namespace
     */
    record Link(String id, String name) implements Device {
        private static final Pattern NAME = Pattern.compile("[^\\s/:%]{1,15}");

        public Link {
            Ids.require("device id", id);
            if (!NAME.matcher(name).matches()) {
                throw new InvalidConfigException("link", '"' + name + '"', "is no name of a network link");
            }
        }
    }
}
