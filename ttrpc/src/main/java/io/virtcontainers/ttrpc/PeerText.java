// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import java.util.regex.Pattern;

/** Makes what the peer said fit for a message: the peer may say anything. */
final class PeerText {
    // Format characters too: those that reverse the direction of text can forge what a terminal shows.
    private static final Pattern UNPRINTABLE = Pattern.compile("[\\p{Cc}\\p{Cf}]+");
    private static final int LONGEST = 2000;

    private PeerText() {}

    /** The text on one line and of bounded length. */
    static String shown(String text) {
        return UNPRINTABLE.matcher(cut(text)).replaceAll(" ").strip();
    }

    static String cut(String text) {
        return text.length() > LONGEST ? text.substring(0, LONGEST) + "..." : text;
    }
}
