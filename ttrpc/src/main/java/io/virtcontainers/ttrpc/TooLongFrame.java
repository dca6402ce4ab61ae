// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

/**
 * The header of a frame whose data are longer than is allowed; the data themselves are skipped.
 *
 * @param length what the header says, in bytes
 */
record TooLongFrame(int streamId, long length) implements Inbound {
    /** Says so, for a status. */
    String problem() {
        return "the message has " + length + " bytes, more than " + Frame.MOST_DATA;
    }
}
