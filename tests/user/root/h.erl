-module(h).
-export([main/0]).
work(0, S) -> S;
work(N, S) -> work(N - 1, (S * 31 + length(integer_to_list(N))) rem 1000000007).
main() ->
    Me = self(),
    [spawn(fun() -> Me ! work(300000, 1) end) || _ <- lists:seq(1, 8)],
    R = lists:usort([receive X -> X end || _ <- lists:seq(1, 8)]),
    [V] = R,
    io:format("erlang ok ~p ~p~n", [V, erlang:system_info(emu_flavor)]),
    halt().
