// A stand-in for the page that Stash's own UI is: PluginApi with patches, routes, a few of its libraries, and a scene's
// page with two tabs. Components are patched as Stash does it: a function before may replace the arguments of a render.
"use strict";

(() => {
  const h = React.createElement;
  const before = {};

  const patched = (name, render) => (props, context) => {
    let args = [props, context];
    for (const change of before[name] || []) args = change(...args);
    return render(...args);
  };
  // Stash's PatchContainerComponent: it shows its children, and is there to be patched.
  const container = (name) => patched(name, ({ children }) => h(React.Fragment, null, children));

  const Chosen = React.createContext(null);
  const Nav = ({ children }) => h("ul", { role: "tablist" }, children);
  Nav.Item = ({ children }) => h("li", { role: "presentation" }, children);
  Nav.Link = ({ eventKey, children }) => {
    const [chosen, choose] = React.useContext(Chosen);
    return h("a", { role: "tab", href: "#", "aria-selected": chosen === eventKey, onClick: (event) => {
      event.preventDefault();
      choose(eventKey);
    } }, children);
  };
  const Tab = {
    Pane: ({ eventKey, children }) => {
      const [chosen] = React.useContext(Chosen);
      return h("div", { role: "tabpanel", hidden: chosen !== eventKey }, children);
    },
  };
  const Button = ({ variant, ...rest }) => h("button", { type: "button", className: `btn btn-${variant}`, ...rest });
  const Link = ({ to, children }) =>
    h("a", { href: to, onClick: (event) => { event.preventDefault(); history.pushState(null, "", to); show(); } }, children);

  const client = {
    async mutate({ mutation, variables }) {
      const answer = await fetch("/graphql", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ query: mutation, variables: variables || {} }),
      });
      const document = await answer.json();
      if (document.errors) throw new Error(document.errors[0].message);
      return document;
    },
  };

  window.PluginApi = {
    React,
    ReactDOM,
    libraries: {
      Bootstrap: { Button, Nav, Tab },
      ReactRouterDOM: { Link },
      Apollo: { gql: (strings) => strings.join("") },
    },
    components: { Setting: ({ heading }) => h("div", null, heading) },
    utils: { StashService: { getClient: () => client } },
    patch: { before: (name, change) => (before[name] ||= []).push(change) },
    register: {
      route: (path, component) => window.PluginApi.patch.before("PluginRoutes", (props) => [
        { children: h(React.Fragment, null, props.children, location.pathname === path ? h(component) : null) },
      ]),
    },
  };

  const Tabs = container("ScenePage.Tabs"), TabContent = container("ScenePage.TabContent");
  const Routes = container("PluginRoutes"), Tools = container("SettingsToolsSection");

  function ScenePage({ scene }) {
    const choice = React.useState("details");
    return h(Chosen.Provider, { value: choice },
      h("h1", null, "A scene"),
      h(Nav, null, h(Tabs, { scene }, h(Nav.Item, null, h(Nav.Link, { eventKey: "details" }, "Details")))),
      h(TabContent, { scene }, h(Tab.Pane, { eventKey: "details" }, "Details of the scene")));
  }

  function show() {
    const [, id] = location.pathname.match(/^\/scenes\/(\d+)/) || [];
    const page = id ? h(ScenePage, { scene: { id, updated_at: window.stashUpdatedAt || "" } })
      : location.pathname === "/settings" ? h(Tools) : h(Routes);
    ReactDOM.render(h("main", { key: location.pathname }, page), document.getElementById("root"));
  }

  window.showStash = show;
})();
