// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.util.List;

/**
 * The templates of a state directory, as {@code kata-runtime factory} has them. Using it is not needed: a sandbox with {@link
 * SandboxConfig#template} makes the template that it lacks. Thread-safe.
 */
public interface TemplateFactory {
    /**
     * Makes the template for sandboxes like this one, unless there is one that can be used.
     *
     * @throws UnsupportedException with what hinders it, if such a machine cannot be cloned: its sandboxes boot
     */
    Template init(SandboxConfig config);

    /** All templates, the one used last first. Looks at the files of each, and at all that they contain. */
    List<Template> list();

    /** Removes a template. Sandboxes that were started from it run on. Does nothing if there is none of this id. */
    void destroy(String templateId);
}
