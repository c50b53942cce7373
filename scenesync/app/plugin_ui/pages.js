// SceneSync on Stash's own pages: a tab beside a scene's others, and a page of its own at /plugins/scenesync.
//
// Plain JavaScript on Stash's PluginApi, no build. All that it knows comes from the plugin by Stash's
// runPluginOperation, so the browser talks to Stash alone. It is silent: while SceneSync does not run there is no tab,
// and whatever goes wrong here never shows as an error of Stash's.
"use strict";

(() => {
  const api = window.PluginApi;
  if (!api) return;
  const { React } = api;
  const { Button, Nav, Tab } = api.libraries.Bootstrap;
  const { Link } = api.libraries.ReactRouterDOM;
  const h = React.createElement;

  const PAGE = "/plugins/scenesync";
  const PANEL = "scenesync-panel";
  const SOON_MS = 3000, NOW_AND_THEN_MS = 30000, SELDOM_MS = 60000;
  const OPERATE = api.libraries.Apollo.gql`
    mutation SceneSyncOperation($args: Map!) { runPluginOperation(plugin_id: "scenesync", args: $args) }`;
  const START = api.libraries.Apollo.gql`
    mutation SceneSyncStart { runPluginTask(plugin_id: "scenesync", task_name: "Start the daemon") }`;

  // -- asking

  async function mutate(mutation, variables) {
    const answer = await api.utils.StashService.getClient().mutate({ mutation, variables, fetchPolicy: "no-cache" });
    return answer.data;
  }

  async function ask(args) {
    return (await mutate(OPERATE, { args })).runPluginOperation;
  }

  // Asks again and again as long as anybody listens and the window can be seen: one question at a time, whoever
  // listens. `pauseAfter` says how long an answer will do, in ms. Without an answer, listeners are told null.
  function watch(args, pauseAfter) {
    const listeners = new Set();
    let latest = null, timer = 0, isAsking = false, isWantedAgain = false;

    async function look() {
      clearTimeout(timer);
      isWantedAgain = isAsking;
      if (isAsking) return;
      isAsking = true;
      try { latest = await ask(args); } catch { latest = null; }
      isAsking = false;
      for (const tell of listeners) tell(latest);
      if (isWantedAgain) look();
      else if (listeners.size) timer = setTimeout(() => (document.hidden ? wait() : look()), pauseAfter(latest));
    }

    function wait() {
      document.addEventListener("visibilitychange", () => listeners.size && look(), { once: true });
    }

    function listen(tell) {
      listeners.add(tell);
      if (latest) tell(latest);
      if (listeners.size === 1) look();
      return () => {
        listeners.delete(tell);
        if (!listeners.size) clearTimeout(timer);
      };
    }

    return { listen, look };
  }

  let scenes = new Map();

  // The tab and what it opens show one answer. Only the scene that is looked at is kept.
  function watchOfScene(id) {
    if (!scenes.has(id)) {
      const pause = (answer) => (answer?.state === "waiting" ? SOON_MS : answer?.running ? NOW_AND_THEN_MS : SELDOM_MS);
      scenes = new Map([[id, watch({ mode: "ui-scene", scene_id: id }, pause)]]);
    }
    return scenes.get(id);
  }

  function useWatch(watched) {
    const [answer, setAnswer] = React.useState(null);
    React.useEffect(() => watched.listen(setAnswer), [watched]);
    return answer;
  }

  // -- showing

  function span(since) {
    const seconds = Math.max(0, Date.now() / 1000 - since);
    for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60]]) {
      if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
    }
    return `${Math.floor(seconds)} s`;
  }

  function When({ at, before = "", after = "" }) {
    if (!at) return null;
    const moment = new Date(at * 1000);
    return h("time", { dateTime: moment.toISOString(), title: moment.toLocaleString() }, `${before}${span(at)}${after}`);
  }

  const Mark = ({ state, words }) => h("span", { className: `scenesync-mark scenesync-${state}` }, words);

  // Of an address that only the machine of SceneSync can use, nothing is offered elsewhere.
  function dashboardUrl(dashboard, path) {
    if (!dashboard) return null;
    const isLocal = (host) => /^(127\.|localhost$|\[?::1\]?$)/.test(host);
    if (isLocal(dashboard.host) && !isLocal(location.hostname)) return null;
    const host = /^(0\.0\.0\.0|\[?::\]?)$/.test(dashboard.host) ? location.hostname : dashboard.host;
    return `http://${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${dashboard.port}${dashboard.path}${path}`;
  }

  const Away = ({ href, children }) =>
    href ? h("a", { className: "btn btn-secondary", href, target: "_blank", rel: "noreferrer noopener" }, children) : null;

  // A button for what takes a moment; what came of it is said beside it.
  function Act({ act, children }) {
    const [said, setSaid] = React.useState("");
    const [isBusy, setBusy] = React.useState(false);
    async function press() {
      setBusy(true);
      try { setSaid(await act()); } catch (error) { setSaid(String(error.message || error)); }
      setBusy(false);
    }
    return h(React.Fragment, null,
      h(Button, { variant: "primary", onClick: press, disabled: isBusy }, children),
      h("span", { role: "status", className: "scenesync-said" }, said));
  }

  function SceneTab({ scene }) {
    const watched = watchOfScene(scene.id);
    const answer = useWatch(watched);
    const seen = React.useRef(scene.updated_at);
    React.useEffect(() => {
      if (seen.current !== scene.updated_at) watched.look(); // it was saved
      seen.current = scene.updated_at;
    }, [scene.updated_at]);
    if (!answer?.running) return null;
    return h(Nav.Item, null, h(Nav.Link, { eventKey: PANEL }, "Plex ", h(Mark, answer)));
  }

  function ScenePanel({ scene }) {
    const watched = watchOfScene(scene.id);
    const answer = useWatch(watched);
    if (!answer?.running) return null;
    async function sync() {
      const said = await ask({ mode: "ui-sync", scene_id: scene.id });
      watched.look();
      return said;
    }
    return h(Tab.Pane, { eventKey: PANEL }, h("div", { className: "scenesync-panel" },
      h("p", { className: "scenesync-lead" }, h(Mark, answer), " ", h(When, { at: answer.since, before: "for " })),
      h("p", null, answer.explained),
      answer.detail ? h("p", { className: "scenesync-detail" }, answer.detail) : null,
      answer.is_held ? h("p", null, "It is held since it was undone: syncing it now ends that.") : null,
      h("p", { className: "scenesync-row" },
        h(Act, { act: sync }, "Sync now"),
        answer.items.map((item) => h(Away, { key: item.rating_key, href: item.url },
          answer.items.length > 1 ? `Open in Plex: ${item.rating_key}` : "Open in Plex")),
        h(Away, { href: dashboardUrl(answer.dashboard, `/scenes/${scene.id}`) }, "Open in SceneSync")),
      h("p", null, h(Link, { to: PAGE }, "How everything stands"))));
  }

  // -- the page

  const status = watch({ mode: "ui-status" }, (answer) => (answer?.pending || answer?.in_progress ? SOON_MS : NOW_AND_THEN_MS));

  const start = async () => {
    await mutate(START);
    setTimeout(status.look, SOON_MS);
    return "Starting…";
  };

  const Figure = ({ name, value }) => h("div", null, h("dt", null, name), h("dd", null, value));

  function Latest({ attempts }) {
    if (!attempts.length) return h("p", null, "Nothing was synced yet.");
    return h("ol", { className: "scenesync-latest" }, attempts.map((each) => h("li", { key: `${each.scene_id} ${each.at}` },
      h(When, { at: each.at, after: " ago" }), " ",
      h(Link, { to: `/scenes/${each.scene_id}` }, each.title || `Scene ${each.scene_id}`), " ",
      h(Mark, { state: each.outcome, words: each.words }), " ",
      h("span", { className: "scenesync-detail" }, each.message))));
  }

  function StatusPage() {
    const answer = useWatch(status);
    if (!answer) return h("div", { className: "scenesync-page" }, h("h1", null, "SceneSync"), h("p", { role: "status" }, "No answer yet."));
    return h("div", { className: "scenesync-page" },
      h("h1", null, "SceneSync"),
      h("p", { className: "scenesync-lead", role: "status" }, answer.sentence),
      h("p", { className: "scenesync-row" },
        answer.running ? null : h(Act, { act: start }, "Start SceneSync"),
        answer.running ? h(Away, { href: dashboardUrl(answer.dashboard, "/") }, "Open the dashboard") : null),
      h("dl", { className: "scenesync-figures" },
        h(Figure, { name: "Waiting", value: answer.pending }),
        h(Figure, { name: "In progress", value: answer.in_progress }),
        h(Figure, { name: "Dead letters", value: answer.dead_letters }),
        h(Figure, { name: "Done in all", value: answer.completed_total }),
        Object.entries(answer.servers).map(([name, value]) =>
          h(Figure, { key: name, name: name[0].toUpperCase() + name.slice(1), value: h(Mark, { state: value, words: value }) }))),
      answer.states.length ? h("h2", null, "Scenes") : null,
      h("ul", { className: "scenesync-states" },
        answer.states.map((each) => h("li", { key: each.state }, h("strong", null, each.count), " ", h(Mark, each)))),
      h("h2", null, "Latest"),
      h(Latest, { attempts: answer.latest }));
  }

  // -- into Stash

  // Whatever breaks in here is gone, and nothing else is.
  class Calm extends React.Component {
    constructor(props) { super(props); this.state = { isBroken: false }; }
    static getDerivedStateFromError() { return { isBroken: true }; }
    render() { return this.state.isBroken ? null : this.props.children; }
  }

  function append(place, render) {
    api.patch.before(place, (props) => [
      { ...props, children: h(React.Fragment, null, props.children, h(Calm, null, render(props))) },
    ]);
  }

  append("ScenePage.Tabs", ({ scene }) => (scene ? h(SceneTab, { scene }) : null));
  append("ScenePage.TabContent", ({ scene }) => (scene ? h(ScenePanel, { scene }) : null));
  append("SettingsToolsSection", () => h(api.components.Setting, { heading: h(Link, { to: PAGE }, h(Button, null, "SceneSync")) }));
  api.register.route(PAGE, () => h(Calm, null, h(StatusPage)));
})();
