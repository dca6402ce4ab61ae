// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

/** What {@link FrameDecoder} makes of the bytes that the peer sends. */
sealed interface Inbound permits Frame, TooLongFrame {}
