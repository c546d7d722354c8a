// A plugin of GCC, loaded only while a header is precompiled: `#pragma halo_forge instantiate` at the header's end
// instantiates the templates whose use the headers leave pending, which otherwise every later compilation would do
// again. What is later compiled with that header is compiled without the plugin.
// Instantiation at the end of the headers and at the end of the program mean the same ([temp.point]).

#include "gcc-plugin.h"
#include "plugin-version.h"
#include "tree.h"
#include "cp/cp-tree.h"
#include "c-family/c-common.h"
#include "cpplib.h"
#include "c-family/c-pragma.h"

int plugin_is_GPL_compatible;

static void instantiate(cpp_reader *) { instantiate_pending_templates(0); }

static void register_pragma(void *, void *) {
  c_register_pragma("halo_forge", "instantiate", static_cast<pragma_handler_1arg>(instantiate));
}

int plugin_init(plugin_name_args *arguments, plugin_gcc_version *version) {
  if (!plugin_default_version_check(version, &gcc_version)) return 1;
  register_callback(arguments->base_name, PLUGIN_PRAGMAS, register_pragma, nullptr);
  return 0;
}
