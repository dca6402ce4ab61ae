// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

/**
 * A route of the guest, with the fields of the Kata agent's {@code types.Route}.
 *
 * @param destination the network with its prefix length; empty for the default route
 * @param gateway the next hop; empty for what is on the link
 * @param device the interface
 * @param source the preferred source address; empty for none
 * @param scope the scope (rtnetlink(7), rtm_scope): 0 global, 253 link, 254 host
 */
public record GuestRoute(String destination, String gateway, String device, String source, int scope) {}
