// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import io.virtcontainers.Device;

/**
 * A disk and its place in a machine.
 *
 * @param address as {@link VirtualMachine#addDevice} returned it, {@code 02/1e}
 */
public record PluggedDisk(Device.Block disk, String address) {}
