// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.virtcontainers.AgentException;
import java.time.Duration;
import java.util.Collection;
import java.util.regex.Pattern;

/** Checks what a guest says before it enters the types of this library: the guest may say anything. Pure functions. */
final class GuestData {
    // Format characters too: those that reverse the direction of text can forge what a terminal shows.
    private static final Pattern UNPRINTABLE = Pattern.compile("[\\p{Cc}\\p{Cf}]+");
    private static final int LONGEST_SHOWN = 2000;

    private GuestData() {}

    /**
     * The same collection.
     *
     * @param what the name of its elements, for the message
     * @throws AgentException if it has more than {@code most} elements
     */
    static <C extends Collection<?>> C atMost(int most, C elements, String what) {
        if (elements.size() > most) {
            throw new AgentException("the agent sent " + elements.size() + " " + what + ", more than " + most);
        }
        return elements;
    }

    /**
     * The same text.
     *
     * @throws AgentException if it is longer than {@code longest} or has characters that cannot be printed
     */
    static String text(int longest, String text, String what) {
        if (text.length() > longest || UNPRINTABLE.matcher(text).find()) {
            throw impossible(what, text);
        }
        return text;
    }

    /** A number that is unsigned on the wire; what does not fit is {@link Long#MAX_VALUE}. */
    static long count(long unsigned) {
        return unsigned < 0 ? Long.MAX_VALUE : unsigned;
    }

    static Duration nanoseconds(long unsigned) {
        return Duration.ofNanos(count(unsigned));
    }

    static AgentException impossible(String what, String value) {
        return new AgentException("the agent sent an impossible " + what + ": \"" + shown(value) + '"');
    }

    /** The text on one line and of bounded length, for a message. */
    static String shown(String text) {
        String cut = text.length() > LONGEST_SHOWN ? text.substring(0, LONGEST_SHOWN) + "..." : text;
        return UNPRINTABLE.matcher(cut).replaceAll(" ").strip();
    }
}
