import sys; sys.path.insert(0,"/var/tmp/wt/hredact/tests/unit/plugins/module_utils/_redaction")
import test_time as t
import itertools,time
def test_x():
    singles=[p*(t.MAX_LINE//len(p)) for p in t.PIECES]+["a"+p*(t.MAX_LINE//len(p))+"!" for p in t.PIECES]
    for f in (t.redact,t.visible,t.classify,t.read_event):
        b=time.time()
        print(f.__name__, t.slowest(f,singles), time.time()-b)
