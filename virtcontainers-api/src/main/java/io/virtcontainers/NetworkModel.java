// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

/** How a link in a network namespace of the host is wired to the guest's card (Kata's {@code internetworking_model}). */
public enum NetworkModel {
    /** A tap device, and traffic control filters that redirect all packets between it and the link: the default. */
    TCFILTER,
    /** A macvtap device on top of the link, in the mode passthru, which needs no change of the link. */
    MACVTAP
}
