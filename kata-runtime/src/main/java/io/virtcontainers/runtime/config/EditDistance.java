// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.config;

import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/** How many letters must be changed to make one word of another (Levenshtein). */
final class EditDistance {
    private EditDistance() {}

    /** The word nearest to another, if it is near. */
    static Optional<String> nearest(String word, List<String> candidates, int atMost) {
        return candidates.stream()
                .filter(candidate -> between(word, candidate) <= atMost)
                .min(Comparator.comparingInt(candidate -> between(word, candidate)));
    }

    static int between(String one, String other) {
        int[] row = new int[other.length() + 1];
        for (int j = 0; j < row.length; j++) {
            row[j] = j;
        }
        for (int i = 1; i <= one.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j < row.length; j++) {
                int changed = diagonal + (one.charAt(i - 1) == other.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(changed, Math.min(row[j], row[j - 1]) + 1);
            }
        }
        return row[other.length()];
    }
}
