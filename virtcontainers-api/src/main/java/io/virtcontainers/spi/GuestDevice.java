// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import io.virtcontainers.GuestPath;

/**
 * A disk of the guest that a container gets as a device, with the fields of the Kata agent's {@code grpc.Device}. The agent
 * puts the disk's numbers into the entry of the container's specification that has the same path, and into its rules.
 *
 * @param driver {@code blk}, {@code scsi}, {@code mmioblk} or {@code nvdimm}
 * @param id by driver: the PCI path {@code 02/1e} (blk), {@code id:lun} (scsi); else empty
 * @param guestNode the device's node in the guest, where there is no id; else empty
 * @param containerPath the path of an entry of {@code linux.devices} in the container's specification
 */
public record GuestDevice(String driver, String id, String guestNode, GuestPath containerPath) {}
