import {Application, Converter, LogLevel, ReflectionFlag, ReflectionKind} from 'typedoc';

/** Writes the reference of the API into a folder, as one page. */
export const apiReference = async folder => {
	const app = await Application.bootstrapWithPlugins({
		entryPoints: ['ts/index.ts'],
		tsconfig: 'tsconfig.json',
		plugin: ['typedoc-plugin-markdown'],
		out: folder,
		name: 'API reference',
		readme: 'none',
		logLevel: LogLevel.Error,
		// Nothing that changes with every edit of the sources: neither lines nor commits.
		disableSources: true,
		excludeExternals: true,
		outputFileStrategy: 'modules',
		groupOrder: ['Functions', 'Classes', 'Interfaces', 'Type Aliases', 'Variables'],
		hidePageHeader: true,
		hideBreadcrumbs: true,
		sort: ['source-order'],
		parametersFormat: 'table',
		propertyMembersFormat: 'table',
		typeDeclarationFormat: 'table',
		classPropertiesFormat: 'table',
		useCodeBlocks: false,
		// Headings that have one name are counted otherwise than GitHub counts them.
		useHTMLAnchors: true,
	});
	app.converter.on(Converter.EVENT_RESOLVE_BEGIN, context => {
		for (const reflection of Object.values(context.project.reflections)) {
			functionOfVariable(reflection);
		}
	});
	const project = await app.convert();
	if (project === undefined || app.logger.hasErrors()) {
		throw new Error('typedoc could not read the sources: see above');
	}

	await app.generateOutputs(project);
};

// `export const f = wrapped(async (...) => ...)` is a function to who calls it.
const functionOfVariable = reflection => {
	const {signatures} = reflection.type?.declaration ?? {};
	if (reflection.kind === ReflectionKind.Variable && signatures?.length > 0) {
		reflection.kind = ReflectionKind.Function;
		reflection.setFlag(ReflectionFlag.Const, false);
		reflection.signatures = signatures;
		for (const signature of signatures) {
			signature.name = reflection.name;
			signature.parent = reflection;
			signature.comment ??= reflection.comment?.clone();
		}

		delete reflection.type;
		delete reflection.comment;
	}
};
