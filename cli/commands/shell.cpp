// Help and completion.

#include <fmt/format.h>

#include "base/strings.hpp"
#include "cli/commands.hpp"
#include "cli/run.hpp"

namespace cli {
namespace {

constexpr std::string_view kBash = R"(# dcos completion for bash: source <(dcos completion bash)
_dcos() {
  local IFS=$'\n'
  COMPREPLY=($(dcos __complete -- "${COMP_WORDS[@]:1:$COMP_CWORD}" 2>/dev/null))
  [ ${#COMPREPLY[@]} -eq 0 ] && COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _dcos dcos
)";

constexpr std::string_view kZsh = R"(#compdef dcos
# dcos completion for zsh: source <(dcos completion zsh)
_dcos() {
  local -a candidates
  candidates=("${(@f)$(dcos __complete -- "${(@)words[2,$CURRENT]}" 2>/dev/null)}")
  if [[ -n "${candidates[1]}" ]]; then
    compadd -a candidates
  else
    _files
  fi
}
compdef _dcos dcos
)";

}  // namespace

base::Result<int> completion(Context& context, const Arguments& arguments) {
  const std::string& shell = arguments.words[0];
  if (shell != "bash" && shell != "zsh")
    return base::unsupported(
        fmt::format("no completion for \"{}\": bash and zsh are known", shell));
  context.out(shell == "bash" ? kBash : kZsh);
  return 0;
}

base::Result<int> complete_words(Context& context, const Arguments& arguments) {
  for (const std::string& candidate : complete(context, arguments.words)) context.line(candidate);
  return 0;
}

base::Result<int> help(Context& context, const Arguments& arguments) {
  std::string path = base::join(arguments.words, " ");
  if (!path.empty() && find_command(path) == nullptr)
    return base::not_found(
        fmt::format("unknown command \"{}\"\nRun `dcos --help` for the list of commands.", path));
  context.out(help_text(path));
  return 0;
}

}  // namespace cli
