set pagination off
set confirm off
set language c
python
import gdb
for thread in gdb.selected_inferior().threads():
    if (thread.name or "").startswith("shard"):
        thread.switch()
        break
else:
    raise gdb.GdbError("no thread of a shard")
end
# core::panicking::panic_nounwind(&'static str), whose message is any text of this process.
set $text = "made to panic by a debugger"
call (void)'core::panicking::panic_nounwind'("made to panic by a debugger", 27)
detach
